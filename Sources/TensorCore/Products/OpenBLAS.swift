import COpenBLAS
import Foundation
import VectorKernels

/// The library that multiplies matrices in general, and factors them. It works on one thread a call; the program itself decides what runs side by side.
package enum OpenBLAS {
    /// Its kernels with vectors of AVX2 or wider.
    private static let fastKernels = ["Haswell", "Zen", "Excavator", "SkylakeX", "Cooperlake", "SapphireRapids"]

    /// The kernels it runs, by the name of a processor; "unknown" where a build has but one set.
    package static var kernels: String {
        prepare()
        return name
    }

    private static var name: String { openblas_get_corename().map { String(cString: $0) } ?? "unknown" }

    /// What to do where OpenBLAS is older than the processor, falls back to kernels several times as slow as it could run, and cannot be told better from
    /// here; nil where all is well.
    package static let warning: String? = {
        prepare()
        guard let better = betterKernels else { return nil }
        return "OpenBLAS does not know this processor and multiplies matrices as on \(name), several times slower than it could; "
            + "set OPENBLAS_CORETYPE=\(better) in the environment, or use a newer OpenBLAS"
    }()

    /// To be called before any use of the library.
    static func prepare() {
        once
        // Built on OpenMP it goes by each thread's own setting.
        if isOnOpenMP { openblas_set_num_threads(1) }
    }

    private static let isOnOpenMP = openblas_get_parallel() == 2

    private static let once: Void = {
        chooseKernels()
        openblas_set_num_threads(1)
    }()

    /// The kernels that the processor's instruction sets allow, where those in use are slower.
    private static var betterKernels: String? {
        let level = instruction_set_level()
        guard level >= 3, openblas_get_corename() != nil, !fastKernels.contains(name) else { return nil }
        return level >= 4 ? "SkylakeX" : "Haswell"
    }

    /// Has OpenBLAS choose its kernels anew by the instruction sets, where it does not know the processor and the user has not chosen. It reads its
    /// environment variable when told to; the variable is gone again afterwards.
    private static func chooseKernels() {
        let variable = "OPENBLAS_CORETYPE"
        guard getenv(variable) == nil, let better = betterKernels, let program = dlopen(nil, RTLD_NOW) else { return }
        defer { dlclose(program) }
        typealias Routine = @convention(c) () -> Void
        guard let quit = dlsym(program, "gotoblas_dynamic_quit"), let start = dlsym(program, "gotoblas_dynamic_init") else { return }
        setenv(variable, better, 1)
        unsafeBitCast(quit, to: Routine.self)()
        unsafeBitCast(start, to: Routine.self)()
        unsetenv(variable)
    }
}
