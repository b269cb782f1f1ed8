import Groundwork
import VectorKernels

/// The right-hand operand of products, `[rows, columns]`, in panels as wide as a tile of the result that stays in registers (Goto & van de Geijn 2008): packed
/// once, multiplied with often. One of few columns, of which a panel would be mostly zeros, is kept transposed instead.
struct PackedMatrix: Sendable {
    let rows, columns: Int
    let kernel: ProductKernel
    private let isNarrow: Bool
    private let storage: Storage
    private let offset: Int

    var pointer: UnsafeMutablePointer<Float> { storage.pointer + offset }

    /// Columns of a panel.
    var panelWidth: Int { kernel.panelWidth(columns: columns) }

    /// The floats that panels of such an operand take.
    static func count(rows: Int, columns: Int, panelWidth: Int) -> Int { (columns + panelWidth - 1) / panelWidth * panelWidth * rows }

    /// Packs parts that follow each other by rows, each `[rows / parts.count, columns]`.
    /// - Parameter mayBeNarrow: false where the left-hand operand is stored transposed.
    init(_ parts: [Matrix], rows: Int, columns: Int, mayBeNarrow: Bool = true) {
        kernel = .current
        (self.rows, self.columns, isNarrow) = (rows, columns, mayBeNarrow && columns <= 4)
        let width = kernel.panelWidth(columns: columns)
        let depth = rows / parts.count
        storage = Storage(count: isNarrow ? rows * columns : Self.count(rows: rows, columns: columns, panelWidth: width))
        offset = 0
        let (target, isNarrow) = (storage.pointer, isNarrow)
        if isNarrow {
            for (index, part) in parts.enumerated() {
                for column in 0..<columns {
                    for row in 0..<depth {
                        target[column * rows + index * depth + row] = part.from(row: row, column: column).pointer.pointee
                    }
                }
            }
            return
        }
        // Blocks of rows of a panel.
        let panels = (columns + width - 1) / width
        let size = max(1, elementwiseBlock / width)
        let blocks = (depth + size - 1) / size
        Parallel.forEach(parts.count * blocks * panels) { task in
            let (panel, part, start) = (task % panels, task / panels / blocks, task / panels % blocks * size)
            gemm_pack(
                min(size, depth - start), columns, parts[part].from(row: start, column: 0).pointer, parts[part].stride,
                parts[part].isTransposed ? 1 : 0, width, panel, 1, rows, target + (part * depth + start) * width)
        }
    }

    init(_ matrix: Matrix, rows: Int, columns: Int, mayBeNarrow: Bool = true) {
        self.init([matrix], rows: rows, columns: columns, mayBeNarrow: mayBeNarrow)
    }

    /// An operand whose panels stand at `offset` in a storage.
    init(rows: Int, columns: Int, kernel: ProductKernel, storage: Storage, offset: Int) {
        (self.rows, self.columns, self.kernel, self.storage, self.offset, isNarrow) = (rows, columns, kernel, storage, offset, false)
    }

    /// c ← a·self + bias + residual, or c ← c + a·self if it accumulates, on the calling thread. A value's bits depend on its row of a and its column alone.
    ///
    /// - Parameters:
    ///   - a: `[m, rows]`
    ///   - c: `[m, columns]`, not transposed
    ///   - part: the columns to work on; it begins with a panel.
    ///   - bias: `[columns]`
    ///   - residual: `[m, columns]`, `c.stride` between its rows
    func product(
        _ a: Matrix, into c: Matrix, m: Int, columns part: Range<Int>? = nil, bias: UnsafePointer<Float>? = nil,
        residual: UnsafePointer<Float>? = nil, accumulates: Bool = false
    ) {
        if isNarrow {
            precondition(
                !a.isTransposed && !accumulates && c.stride == columns && part == nil, "PackedMatrix: few columns do not go with this product")
            gemm_narrow(m, columns, rows, a.pointer, a.stride, pointer, bias, residual, c.pointer)
            return
        }
        let part = part ?? 0..<columns
        gemm(
            kernel.level, m, part.count, rows, a.pointer, a.stride, a.isTransposed ? 1 : 0, pointer + part.lowerBound * rows, panelWidth,
            bias.map { $0 + part.lowerBound }, residual.map { $0 + part.lowerBound }, accumulates ? 1 : 0, c.pointer + part.lowerBound, c.stride)
    }

    /// The same in pieces of c that many threads share.
    func productInParallel(
        _ a: Matrix, into c: Matrix, m: Int, bias: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil, accumulates: Bool = false
    ) {
        let cut = ProductCut(m: m, n: columns, k: rows, keepsColumns: isNarrow)
        Parallel.forEach(cut.count) { task in
            let piece = cut.piece(task)
            let start = piece.rows.lowerBound
            product(
                a.from(row: start, column: 0), into: c.from(row: start, column: 0), m: piece.rows.count, columns: isNarrow ? nil : piece.columns,
                bias: bias, residual: residual.map { $0 + start * c.stride }, accumulates: accumulates)
        }
    }
}

/// The tiles that products are made of, by instruction set.
package struct ProductKernel: Sendable, Hashable, CustomStringConvertible {
    /// As `instruction_set_level()` tells: 4 with AVX-512, 3 with AVX2, less without.
    fileprivate let level: Int32

    private init(level: Int32) { self.level = level }

    /// What this processor can run, the fastest first.
    package static let available: [ProductKernel] = [4, 3, 0].filter { $0 <= instruction_set_level() }.map(ProductKernel.init)

    /// Set by comparisons of kernels, for what the calling thread packs.
    @TaskLocal package static var override: ProductKernel?

    /// What operands are packed for.
    package static var current: ProductKernel { override ?? available[0] }

    func panelWidth(columns: Int) -> Int { gemm_panel_width(level, columns) }

    package var description: String {
        #if arch(arm64)
            return "NEON, 6 × 16"
        #else
            return level >= 4 ? "AVX-512, 14 × 32" : level == 3 ? "AVX2, 6 × 16" : "baseline, 2 × 16"
        #endif
    }
}
