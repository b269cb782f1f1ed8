import Foundation
import Groundwork
import SolarImage

/// Takes as low resolution block means of MDI's maps that lie on the grid of HMI's, matched by the time and the regions in the files' names.
package struct RegisteredPairs: LowResolutionSource {
    private let files: [Key: [URL]]
    private let folder: URL
    private let scale: Int
    private let factor: Double?
    private let minimumCorrelation: Double

    private struct Key: Hashable {
        var time: String
        var regions: [Region]

        init?(_ name: String) {
            guard let time = name.firstMatch(of: /(?:^|\D)(\d{8}_\d{6})(?:\D|$)/)?.1 else { return nil }
            self.time = String(time)
            regions = Region.regions(header: FITSHeader(), fileName: name).sorted()
        }
    }

    /// - Throws: `Failure`: `.missingInput` if there is no such folder, `.badData` if it cannot be read or holds no FITS file.
    package init(folder: URL, scale: Int, factor: Double?, minimumCorrelation: Double) throws {
        let all = try fitsFiles(in: folder)
        guard !all.isEmpty else { throw Failure(.badData, "the folder holds no FITS file to pair with", at: folder.path) }
        var files: [Key: [URL]] = [:]
        for url in all { if let key = Key(url.lastPathComponent) { files[key, default: []].append(url) } }
        (self.files, self.folder, self.scale, self.factor, self.minimumCorrelation) = (files, folder, scale, factor, minimumCorrelation)
    }

    package func partner(of map: UprightMap) throws -> any LowResolutionPartner {
        let (width, height, name) = (map.file.width, map.file.height, map.file.source.lastPathComponent)
        guard let key = Key(name) else { throw Unpaired("its name has no time such as 20110402_204800 to find its pair by") }
        // In one folder with MDI's the file itself has the same time and regions.
        let own = map.file.source.resolvingSymlinksInPath().path
        let found = (files[key] ?? []).filter { $0.resolvingSymlinksInPath().path != own }
        guard let url = found.first else { throw Unpaired("no file in \(folder.path) has the time and the regions of its name") }
        guard found.count == 1 else {
            throw Unpaired("several files have the time and the regions of its name: \(found.map(\.lastPathComponent).joined(separator: ", "))")
        }
        var other = try Magnetogram(reading: url, masksOffDisk: true)
        guard other.image.width == width, other.image.height == height else {
            throw Unpaired(
                "\(url.lastPathComponent) is not on its grid: \(other.image.width) × \(other.image.height) pixels instead of "
                    + "\(width) × \(height)")
        }
        if map.isTurned { other = other.turned() }
        // A product of this program is on HMI's scale already.
        return Partner(
            map: other, sha256: try SuperResolution.sha256(of: url), scale: scale,
            factor: other.header.isProduct ? 1 : factor ?? other.conditions.gain,
            minimumCorrelation: minimumCorrelation)
    }

    private struct Partner: LowResolutionPartner {
        let map: Magnetogram
        let sha256: String
        let scale: Int
        let factor: Double
        let minimumCorrelation: Double

        var margin: Int { 0 }

        func lowResolution(of surroundings: Magnetogram, inner: CropFrame, frame: CropFrame) throws -> LowResolution {
            let crop = surroundings.cropped(x: inner.x, y: inner.y, width: inner.width, height: inner.height)
            let field = map.image.cropped(x: frame.x, y: frame.y, width: frame.width, height: frame.height)
            let image = field.blockMean(by: scale)
            let comparison = FieldComparison(of: field, with: crop.image)
            let means = FieldComparison(of: image, with: crop.image.blockMean(by: scale))
            let registration = Registration(of: field, with: crop.image)
            let statistics = PairStatistics(
                kind: .registered, source: map.source.path, sha256: sha256, time: map.time?.description, factor: factor,
                correlation: comparison.correlation, slope: comparison.slopeThroughOrigin, slopeOfMeans: means.slopeThroughOrigin,
                shift: registration.map { [$0.shift.x, $0.shift.y] })
            guard comparison.correlation >= minimumCorrelation else {
                throw Unpaired(
                    String(
                        format: "its correlation with \(map.source.lastPathComponent) of %.3f is below %.3f (slope %.3f, shift %.2f, %.2f pixels)",
                        comparison.correlation, minimumCorrelation, comparison.slopeThroughOrigin, registration?.shift.x ?? .nan,
                        registration?.shift.y ?? .nan))
            }
            return LowResolution(
                image: image, by: map.instrument, of: crop, scale: scale, statistics: statistics,
                history: "sr \(programVersion): mean of \(scale) x \(scale) pixels of \(map.source.lastPathComponent), SHA-256 \(sha256)")
        }
    }
}
