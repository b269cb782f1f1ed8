import SolarImage

/// What a crop shows, as far as it tells whether two crops show the same.
struct PreparationScene: Sendable {
    let taiSeconds: Double?
    let regions: [Region]
    let footprint: CropFootprint?
    /// The file it is of, by its number.
    let source: Int
    let frame: CropFrame

    init(_ source: PreparationSource, _ crop: PreparationCrop) {
        (taiSeconds, regions, footprint) = (source.taiSeconds, crop.regions, crop.footprint)
        (self.source, frame) = (source.number, crop.frame)
    }

    /// Whether it is known what part of the Sun it shows.
    var isPlaced: Bool { !regions.isEmpty || (footprint != nil && taiSeconds != nil) }

    /// Finds scenes of a common place: the same pixels of a file, or one part of the Sun within ``CropFootprint/lifetime``.
    /// - Parameters:
    ///   - scenes: those of a file one after the other.
    ///   - isOfInterest: asked before two scenes, by their indices, are compared.
    static func forEachMeeting(of scenes: [PreparationScene], where isOfInterest: (Int, Int) -> Bool, _ body: (Int, Int) -> Void) {
        for first in scenes.indices {
            for second in scenes.indices[(first + 1)...] {
                guard scenes[first].source == scenes[second].source else { break }
                if scenes[first].frame.overlap(scenes[second].frame) > 0, isOfInterest(first, second) { body(first, second) }
            }
        }
        let placed = scenes.indices.compactMap { index -> (index: Int, time: Double, footprint: CropFootprint)? in
            guard let time = scenes[index].taiSeconds, let footprint = scenes[index].footprint else { return nil }
            return (index, time, footprint)
        }.sorted { ($0.time, $0.index) < ($1.time, $1.index) }
        for first in placed.indices {
            for second in placed.indices[(first + 1)...] {
                let (a, b) = (placed[first], placed[second])
                guard b.time - a.time <= CropFootprint.lifetime else { break }
                if isOfInterest(a.index, b.index), a.footprint.meets(b.footprint, after: b.time - a.time) { body(a.index, b.index) }
            }
        }
    }
}
