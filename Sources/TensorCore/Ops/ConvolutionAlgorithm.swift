import Synchronization

/// How convolutions are computed, and the sizes from which each way is the fastest: measured with `sr-benchmark` on processors with AVX-512 and AVX2 and
/// 1 to 2 MiB of second-level cache.
public enum ConvolutionAlgorithm: String, Sendable, CaseIterable {
    /// By sizes: Winograd's algorithm where it saves time, else products with patches.
    case fastest
    /// Always products with patches ("im2col"), which round less: for comparisons.
    case patches

    private static let usesPatchesAlone = Atomic<Bool>(false)

    /// Set by comparisons of algorithms, for convolutions of the calling thread.
    @TaskLocal package static var override: ConvolutionAlgorithm?

    /// Set by tests, for convolutions of the calling thread: all sizes below are divided by it, so that small tensors cross the bounds that large ones do.
    @TaskLocal package static var sizeDivisor = 1

    private static func size(_ measured: Int) -> Int { max(1, measured / sizeDivisor) }

    /// What all convolutions of the program use.
    public static var current: ConvolutionAlgorithm {
        get { override ?? (usesPatchesAlone.load(ordering: .relaxed) ? .patches : .fastest) }
        set { usesPatchesAlone.store(newValue == .patches, ordering: .relaxed) }
    }

    // MARK: Winograd's algorithm

    /// Channels in and out that it needs to fill vectors.
    static var winogradChannels: Int { size(16) }
    /// Tiles in an image, of 4 × 4 outputs or else of 2 × 2, that repay the transform of the weights, or reading four times as many of them.
    static var winogradTiles: Int { size(48) }
    /// Weights of one tap, inputs × outputs, that a cache holds even transformed …
    static var winogradCheapWeights: Int { size(1 << 15) }
    /// … for which so few tiles will do.
    static var winogradFewTiles: Int { size(4) }
    /// Floats of transformed weights that fit a core's second-level cache.
    static var winogradNarrowWeights: Int { size(1 << 18) }
    /// Floats of transformed tiles worked on at a time beside such weights.
    static var winogradNarrowTiles: Int { size(1 << 18) }
    /// Floats of transformed tiles worked on at a time beside larger weights: 16 MiB, which a shared last-level cache holds.
    static var winogradTilesAtATime: Int { size(1 << 22) }
    /// Columns of transformed weights that a task makes at a time, whole panels of all kernels: with `gemm_block` rows of them 36 operands take 1.2 MiB of a core's
    /// second-level cache.
    static var winogradColumns: Int { max(32, size(64) / 32 * 32) }

    // MARK: Products with patches

    /// Floats of patches worked on at a time: 256 KiB, half of a common second-level cache.
    static var patchesAtATime: Int { size(1 << 16) }
    /// Blocks of patches that keep many threads busy.
    static var patchBlocks: Int { size(64) }
    /// Floats of patches that are kept at a time, all of them or between a product and the sums over it: 16 MiB, which a shared last-level cache holds.
    static var sharesAtATime: Int { size(1 << 22) }
    /// Weights from which their gradient is cut over them rather than over the pixels.
    static var wideWeights: Int { size(1 << 17) }
}
