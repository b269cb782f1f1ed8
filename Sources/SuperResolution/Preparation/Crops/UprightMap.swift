import Foundation
import Groundwork
import SolarImage

/// A file's map as crops are taken from it: with north up, its pixels still to be read.
///
/// Not for use by two threads at a time.
package struct UprightMap {
    package let file: MagnetogramFile
    /// Of the file.
    package let sha256: String
    /// Whether the map is upside down in the file, and is turned by 180°.
    package let isTurned: Bool
    /// Of the upright map.
    package let geometry: MapGeometry

    /// - Throws: `Failure` (`.badData`) if the header contradicts itself (``MapGeometry/init(_:time:at:)``), or has part of the disk out of the image.
    package init(_ file: MagnetogramFile, sha256: String) throws {
        (self.file, self.sha256) = (file, sha256)
        var geometry = try MapGeometry(file.header, time: file.time, at: file.source.path)
        isTurned = geometry.isUpsideDown
        if isTurned {
            var header = file.header
            header.turnGrid(width: file.width, height: file.height)
            geometry = try MapGeometry(header, time: file.time, at: file.source.path)
        }
        self.geometry = geometry
        // An image that has room for the disk shows all of it, to 2 % of its radius; one that has not is a cutout.
        if let disk = geometry.disk, 2 * 0.98 * disk.radius <= Double(min(file.width, file.height)) {
            let (low, high) = (disk.centre - 0.98 * disk.radius, disk.centre + 0.98 * disk.radius)
            guard low.min() >= 0, high.x < Double(file.width), high.y < Double(file.height) else {
                throw Failure(
                    .badData, "the disk is out of the frame", at: "\(file.source.path), CRPIX1, CRPIX2",
                    expected: "a disk within \(file.width) × \(file.height) pixels",
                    found: String(format: "one of radius %.0f around column %.0f, row %.0f", disk.radius, disk.centre.x, disk.centre.y),
                    remedy: "correct the header")
            }
        }
    }

    /// With its pixels.
    /// - Throws: `Failure` (`.badData`) if they cannot be read, or if not one has a value.
    func read() throws -> Magnetogram {
        var images: [Image] = []
        return try file.whole(isTurned: isTurned, reusing: &images)
    }
}
