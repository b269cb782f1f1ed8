import COpenBLAS
import VectorKernels

/// OpenBLAS works on one thread a call; the program itself decides what runs side by side.
let singleThreaded: Void = openblas_set_num_threads(1)

/// The library that multiplies matrices.
package enum OpenBLAS {
    /// Its kernels with vectors of AVX2 or wider.
    private static let fastKernels = ["Haswell", "Zen", "Excavator", "SkylakeX", "Cooperlake", "SapphireRapids"]

    /// What to do where OpenBLAS is older than the processor, does not know it, and falls back to kernels several times as slow as it could run; nil
    /// where all is well.
    package static let warning: String? = {
        let level = instruction_set_level()
        guard level >= 3, let name = openblas_get_corename().map({ String(cString: $0) }), !fastKernels.contains(name) else { return nil }
        return "OpenBLAS does not know this processor and multiplies matrices as on \(name), several times slower than it could; "
            + "set OPENBLAS_CORETYPE=\(level >= 4 ? "SkylakeX" : "Haswell") in the environment, or use a newer OpenBLAS"
    }()
}
