// swift-tools-version: 6.1
import PackageDescription

/// Tests read values computed by other programs (PyTorch, scikit-image, astropy) from `Tests/Fixtures` through their own source path.
let package = Package(
    name: "sr",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "SuperResolution", targets: ["SuperResolution"]),
        // Tensors stand in the interface of SuperResolution.
        .library(name: "TensorCore", targets: ["TensorCore"]),
        .executable(name: "sr", targets: ["sr"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"]), .brew(["openblas"])]),
        .systemLibrary(name: "CFITSIO", pkgConfig: "cfitsio", providers: [.apt(["libcfitsio-dev"]), .brew(["cfitsio"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .systemLibrary(name: "CWCS", pkgConfig: "wcslib", providers: [.apt(["wcslib-dev"]), .brew(["wcslib"])]),
        .systemLibrary(name: "CFFTW", pkgConfig: "fftw3", providers: [.apt(["libfftw3-dev"]), .brew(["fftw"])]),
        .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev"]), .brew(["cairo"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl"])]),
        .target(name: "Groundwork"),
        .target(name: "VectorKernels"),
        .target(
            name: "TensorCore",
            dependencies: ["Groundwork", "VectorKernels", "COpenBLAS", .product(name: "OrderedCollections", package: "swift-collections")]),
        .target(name: "SolarImage", dependencies: ["Groundwork", "CFITSIO", "CZlib", "CWCS", "CFFTW", "CCairo"]),
        .target(
            name: "SuperResolution",
            dependencies: [
                "Groundwork", "TensorCore", "SolarImage", "CCrypto", .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            resources: [.copy("Resources")]),
        .executableTarget(
            name: "sr",
            dependencies: [
                "Groundwork", "TensorCore", "SolarImage", "SuperResolution", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"), .product(name: "Yams", package: "Yams"),
            ]),
        .executableTarget(
            name: "sr-benchmark",
            dependencies: ["Groundwork", "TensorCore", "SuperResolution", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        .executableTarget(name: "sr-fuzz", dependencies: ["Groundwork", "SolarImage", "SuperResolution"]),
        .testTarget(name: "GroundworkTests", dependencies: ["Groundwork"]),
        .testTarget(name: "TensorCoreTests", dependencies: ["TensorCore", "VectorKernels", "Groundwork"]),
        .target(name: "SyntheticSun", dependencies: ["Groundwork", "CFITSIO"], path: "Tests/SyntheticSun"),
        .testTarget(name: "SolarImageTests", dependencies: ["SolarImage", "SyntheticSun", "Groundwork"]),
        .testTarget(
            name: "SuperResolutionTests",
            dependencies: ["SuperResolution", "TensorCore", "SolarImage", "SyntheticSun", "Groundwork", .product(name: "Yams", package: "Yams")]),
        .testTarget(name: "CommandTests", dependencies: ["sr", "SolarImage", "TensorCore", "SyntheticSun", "Groundwork"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17
)

// The lower half with its tests alone, which is what Scripts/check-sanitizers builds.
if Context.environment["SR_LOWER_HALF"] != nil {
    let names: Set = [
        "COpenBLAS", "CFITSIO", "CZlib", "CWCS", "CFFTW", "CCairo", "Groundwork", "VectorKernels", "TensorCore", "SolarImage", "SyntheticSun",
        "GroundworkTests", "TensorCoreTests", "SolarImageTests",
    ]
    package.targets.removeAll { !names.contains($0.name) }
    package.products = []
}
