import Foundation
import Groundwork
import SolarImage
import SuperResolution

/// Hands bytes to one of the program's readers, many times in one process.
///
///     sr-fuzz fits|safetensors|regions FOLDER… [-max_total_time=SECONDS …]
///
/// Built with libFuzzer (`Scripts/fuzz-readers`), it makes the bytes up, guided by what code they reach; built without, it reads each file that is named, as to see
/// whether what was found is mended.
@main
enum Fuzz {
    /// The readers by the kind of file. What they throw is an answer like any other: only what ends the process is a finding.
    private static let readers: [String: @Sendable (URL) throws -> Void] = [
        "fits": { url in
            // Of the bytes in memory, as for training, and by way of the file.
            let bytes = FileBytes()
            if try bytes.read(url) { _ = try MagnetogramFile(reading: url, bytes: bytes, masksOffDisk: true).whole() }
            let map = try Magnetogram(reading: url)
            let coordinates = try WorldCoordinates(map.header, at: url.path)
            _ = try coordinates.mu(at: [.zero, SIMD2(16, 16)], from: Observer(map.header))
        },
        "safetensors": { url in _ = try Model(reading: url) },
        "regions": { url in _ = try ActiveRegionCatalogue(reading: [url]) },
    ]

    /// C functions hold no state of their own.
    nonisolated(unsafe) private static var read: (URL) throws -> Void = { _ in }
    nonisolated(unsafe) private static var file = URL(fileURLWithPath: "")

    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count > 1, let reader = readers[arguments[1]] else {
            FileHandle.standardError.write(Data("usage: sr-fuzz \(readers.keys.sorted().joined(separator: "|")) FILE…\n".utf8))
            exit(64)
        }
        read = reader
        typealias Driver =
            @convention(c) (
                UnsafeMutablePointer<CInt>, UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
                @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
            ) -> CInt
        guard let driver = dlsym(dlopen(nil, RTLD_NOW), "LLVMFuzzerRunDriver") else {
            for path in arguments.dropFirst(2) { attempt(URL(fileURLWithPath: path)) }
            return
        }
        // In memory, one for each process.
        file = URL(fileURLWithPath: "/dev/shm/sr-fuzz-\(getpid())")
        defer { unlink(file.path) }
        var count = CInt(arguments.count - 1)
        var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = .allocate(capacity: arguments.count)
        for (index, argument) in ([arguments[0]] + arguments.dropFirst(2)).enumerated() { values?[index] = strdup(argument) }
        values?[arguments.count - 1] = nil
        exit(
            unsafeBitCast(driver, to: Driver.self)(&count, &values) { bytes, size in
                guard (try? Data(UnsafeBufferPointer(start: bytes, count: size)).write(to: Fuzz.file)) != nil else { return -1 }
                Fuzz.attempt(Fuzz.file)
                return 0
            })
    }

    private static func attempt(_ url: URL) {
        do { try read(url) } catch is Failure {} catch { fatalError("an error that is no Failure: \(error)") }
    }
}
