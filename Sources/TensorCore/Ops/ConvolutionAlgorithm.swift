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

    /// What all convolutions of the program use.
    public static var current: ConvolutionAlgorithm {
        get { override ?? (usesPatchesAlone.load(ordering: .relaxed) ? .patches : .fastest) }
        set { usesPatchesAlone.store(newValue == .patches, ordering: .relaxed) }
    }

    // MARK: Winograd's algorithm

    /// Channels in and out that it needs to fill vectors.
    static let winogradChannels = 16
    /// Tiles of 4 × 4 outputs in an image that repay the transform of the weights, or reading four times as many of them.
    static let winogradTiles = 48
    /// Weights of one tap, inputs × outputs, that a cache holds even transformed …
    static let winogradCheapWeights = 1 << 15
    /// … for which so few tiles will do.
    static let winogradFewTiles = 4
    /// Floats of transformed weights that fit a core's second-level cache.
    static let winogradNarrowWeights = 1 << 18
    /// Floats of transformed tiles worked on at a time beside such weights.
    static let winogradNarrowTiles = 1 << 18
    /// Floats of transformed tiles worked on at a time beside larger weights: 16 MiB, which a shared last-level cache holds.
    static let winogradTilesAtATime = 1 << 22

    // MARK: Products with patches

    /// Floats of patches worked on at a time: 256 KiB, half of a common second-level cache.
    static let patchesAtATime = 1 << 16
    /// Blocks of patches that keep many threads busy.
    static let patchBlocks = 64
    /// Floats of patches that are kept at a time, all of them or between a product and the sums over it: 16 MiB, which a shared last-level cache holds.
    static let sharesAtATime = 1 << 22
    /// Weights from which their gradient is cut over them rather than over the pixels.
    static let wideWeights = 1 << 17
}
