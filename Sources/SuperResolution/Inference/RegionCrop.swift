import Groundwork
import SolarImage

/// A square around an active region, wherever an image shows it.
public struct RegionCrop: Sendable {
    /// NOAA's number, such as 11112; of numbers from 10000 on the last four digits will do, as region summaries print them.
    public var number: Int
    /// In pixels; where the image has fewer along an axis, all of them.
    public var side: Int
    public var catalogue: ActiveRegionCatalogue

    public init(number: Int, side: Int, catalogue: ActiveRegionCatalogue) {
        (self.number, self.side, self.catalogue) = (number, side, catalogue)
    }

    /// The square in a magnetogram, turned any way: as near to the region as the borders allow.
    /// - Throws: `Failure` (`.badData`) if the catalogue has no report of the region within a day of the observation, if the image does not show the
    ///   region, or does not tell where it would.
    func place(in map: Magnetogram) throws -> (frame: CropFrame, region: Region) {
        let path = map.source.path, whole = CropFrame(x: 0, y: 0, width: map.image.width, height: map.image.height)
        let places = try MapGeometry(map.header, time: map.time, at: path).places(of: catalogue)
        guard let (position, pixel) = places.first(where: { $0.position.number == number }) ?? places.first(where: { isShort(for: $0.position) })
        else { throw unknown(at: map.time, others: places.map(\.position.region), path) }
        guard whole.contains(pixel) else {  // NaN lies nowhere
            let day = position.time.description.prefix(10)
            throw Failure(
                .badData, pixel.x.isFinite ? "\(position.region) is out of the image" : "\(position.region) is behind the limb", at: path,
                expected: "a region among its \(whole.width) × \(whole.height) pixels",
                found: "\(position.location) on \(day)" + (pixel.x.isFinite ? ", column \(Int(pixel.x)), row \(Int(pixel.y))" : ""),
                remedy: "give an image that shows it")
        }
        let (width, height) = (min(side, whole.width), min(side, whole.height))
        return (CropFrame(width: width, height: height, around: pixel, in: whole), position.region)
    }

    private func isShort(for position: ActiveRegionPosition) -> Bool { number < 10000 && position.number == number + 10000 }

    private func unknown(at time: ObservationTime?, others: [Region], _ path: String) -> Failure {
        let reports = catalogue.positions.filter { $0.number == number || isShort(for: $0) }
        let nearest = reports.min { a, b in
            guard let time else { return false }
            return abs(a.time.taiSeconds - time.taiSeconds) < abs(b.time.taiSeconds - time.taiSeconds)
        }
        return Failure(
            .badData, "NOAA \(number) was not reported within a day of the observation", at: path,
            expected: others.isEmpty
                ? "a report near \(time?.description.prefix(10) ?? "it")" : "one of \(others.map(\.description).joined(separator: ", "))",
            found: nearest.map { "its nearest report of \($0.time.description.prefix(10))" } ?? "no report of it",
            remedy: "check the number, and that --regions covers the day")
    }
}
