/// The tiles that a model works on larger fields in, in LR pixels.
package struct Tiling: Sendable, Codable, Equatable {
    /// Side of a tile.
    package var side: Int
    /// What neighbours share.
    package var overlap: Int

    package init(side: Int, overlap: Int) { (self.side, self.overlap) = (side, overlap) }
}

extension ModelDescription {
    /// How larger fields are worked on: as the file says, else as the presets were trained. Where a norm or attention spans the whole of a tile it is as large
    /// as the crops of training, of which such a network makes other statistics at any other size; local networks take any.
    package var tiling: Tiling {
        if let ownTiling { return ownTiling }
        if case .regression = system { return Tiling(side: 256, overlap: 32) }
        if case .paper = system.diffusion?.network { return Tiling(side: 256, overlap: 64) }
        return Tiling(side: 64, overlap: 16)
    }

    /// Takes down the tiles that crops of training stand for.
    /// - Parameter cropSize: side of the crops in HR pixels.
    package mutating func setTiling(cropSize: Int) {
        guard case .paper = system.diffusion?.network else { return ownTiling = tiling }
        let side = max(16, cropSize / scale)
        ownTiling = Tiling(side: side, overlap: side / 4)
    }
}
