import Groundwork
import SolarImage

/// An active region of a catalogue, where a map shows it.
struct ShownRegion {
    let region: Region
    /// In the upright map.
    let pixel: SIMD2<Double>
    /// In millionths of the solar hemisphere; −1 if not known.
    let area: Int
}

extension ActiveRegionCatalogue {
    /// The regions that a map of `width` × `height` pixels shows, carried by the Sun's rotation to its time, the largest first.
    /// - Throws: `Failure` (`.badData`) if the header does not tell what it takes to find them.
    func regions(in geometry: MapGeometry, width: Int, height: Int) throws -> [ShownRegion] {
        let map = CropFrame(x: 0, y: 0, width: width, height: height)
        return try geometry.places(of: self)
            .filter { map.contains($0.pixel) }  // NaN lies nowhere
            .map { ShownRegion(region: $0.position.region, pixel: $0.pixel, area: $0.position.area ?? -1) }
            .sorted { (-$0.area, $0.region) < (-$1.area, $1.region) }
    }
}
