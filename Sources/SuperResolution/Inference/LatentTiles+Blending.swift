import TensorCore

extension LatentTiles {
    /// The weighted mean of a network's outputs for tiles, `[batch, height·scale, width·scale, channels]`; 0 where there is no tile.
    ///
    /// - Parameters:
    ///   - batch: fields that are worked on together.
    ///   - network: gets some tiles and gives their outputs for all fields, `[tiles · batch, …]`, a tile's together.
    ///   - afterEach: told how many tiles were done.
    static func blend(
        _ tiles: [TileRectangle], height: Int, width: Int, channels: Int, scale: Int, overlap: Int, batch: Int,
        of network: ([TileRectangle]) -> Tensor, afterEach: (Int) throws -> Void
    ) throws -> Tensor {
        if tiles.count == 1, let tile = tiles.first, tile.rows.count == height, tile.columns.count == width {
            let output = network(tiles)
            try afterEach(1)
            return output
        }
        var sum = Tensor(zeros: [batch, height * scale, width * scale, channels])
        var total = Tensor(repeating: 1e-12, shape: [1, height * scale, width * scale, 1])
        guard let first = tiles.first else { return sum }
        // All tiles are of one size.
        let weights = LatentTiles.weights(rows: first.rows.count * scale, columns: first.columns.count * scale, overlap: overlap)
        let group = max(1, SuperResolver.batchPixels / (first.rows.count * first.columns.count * batch))
        for start in stride(from: 0, to: tiles.count, by: group) {
            let members = tiles[start..<min(tiles.count, start + group)]
            let outputs = network(Array(members)) * weights
            for (index, tile) in members.enumerated() {
                let (row, column) = (tile.rows.lowerBound * scale, tile.columns.lowerBound * scale)
                sum.addWindow(outputs.sliced(axis: 0, range: index * batch..<(index + 1) * batch), row: row, column: column)
                total.addWindow(weights, row: row, column: column)
            }
            try afterEach(members.count)
        }
        return sum / total
    }
}

extension Tensor {
    /// Equally large parts of `[batch, height, width, channels]`, `[rectangles · batch, rows, columns, channels]`, a rectangle's together.
    func windows(_ rectangles: [TileRectangle]) -> Tensor { concatenate(rectangles.map { window($0) }, axis: 0) }
}
