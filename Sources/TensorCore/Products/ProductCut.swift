import Groundwork

/// How the result of a product, `[m, n]`, is cut into tasks.
struct ProductCut {
    private let m, n: Int
    private let height, width: Int
    private let columnPieces: Int
    /// Tasks.
    let count: Int

    /// Tasks for each thread, so that none waits long for the last ones.
    private static let tasksPerThread = 6
    /// Multiplications below which a task is not worth handing out: some 10 µs.
    private static let leastWork = 1 << 20

    /// - Parameters:
    ///   - k: the extent that the product sums over.
    ///   - batch: products of this shape that are handed out together.
    ///   - keepsColumns: cut rows alone.
    ///   - threads: how many shall be kept busy. Products with a ``PackedMatrix`` may go by those there are: their bits do not depend on the cut. Others must
    ///     not.
    init(m: Int, n: Int, k: Int, batch: Int = 1, keepsColumns: Bool = false, threads: Int = Parallel.isInside ? 1 : Parallel.threadCount) {
        (self.m, self.n) = (m, n)
        // Multiples of the tiles of all kernels, 14 and 6 rows and 32 columns; no more rows than what a task reads again and again fits the cache with.
        var (height, width) = (336, keepsColumns ? max(1, n) : max(32, (n + 31) / 32 * 32))
        func pieces() -> Int { batch * ((m + height - 1) / height) * ((n + width - 1) / width) }
        let wanted = threads == 1 ? 1 : Self.tasksPerThread * threads
        while pieces() < wanted, min(height, m) * min(width, n) * k >= 2 * Self.leastWork {
            // The longer side is halved: square pieces read the least.
            if !keepsColumns, width > 64, width >= min(height, m) || height == 42 {
                width = (width / 2 + 31) / 32 * 32
            } else if height > 42 {
                height /= 2
            } else {
                break
            }
        }
        (self.height, self.width) = (height, width)
        columnPieces = (n + width - 1) / width
        count = (m + height - 1) / height * columnPieces
    }

    func piece(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
        let (top, left) = (index / columnPieces * height, index % columnPieces * width)
        return (top..<min(m, top + height), left..<min(n, left + width))
    }
}
