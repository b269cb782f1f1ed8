import Foundation
import Groundwork

/// A magnetogram's file, opened: all that its header tells, with the pixels still to be read, all of them or those of some parts.
///
/// Not for use by two threads at a time.
package struct MagnetogramFile {
    /// In standard form.
    package let header: FITSHeader
    package let instrument: Instrument
    package let source: URL
    package let regions: [Region]
    /// Where the pixels lie; nil if the header does not tell.
    package let grid: PixelGrid?
    /// The number of the header and data unit that holds it, 0 for the primary one.
    package var hdu: Int { plane.hdu }
    package var width: Int { plane.width }
    package var height: Int { plane.height }

    package let file: FITSFile
    private let plane: FITSPlane
    /// Gauss for one of the file's units.
    private let factor: Float
    /// Solar radii from the centre of the disk beyond which pixels become NaN, whatever they hold; nil for none.
    private let limb: Double?

    /// - Parameters:
    ///   - bytes: the file's bytes, if they are in memory already.
    ///   - masksOffDisk: whether pixels beyond the limb become NaN, where the disk is known: HMI's hold noise for 45″ more, and on the limb spikes of
    ///     thousands of Gauss.
    /// - Throws: as ``Magnetogram/init(reading:)``, but for what only the pixels tell.
    package init(reading url: URL, bytes: FileBytes? = nil, masksOffDisk: Bool = false) throws {
        file = try FITSFile(reading: url, bytes: bytes)
        plane = try file.firstPlane()
        let name = url.lastPathComponent, location = "\(url.path), HDU \(plane.hdu)"
        let own = try plane.header.withoutRepetition(at: location)
        instrument = Instrument(header: own, fileName: name)
        let header = instrument.standardHeader(own)
        (self.header, source) = (header, url)
        // A file that tells nothing of its grid is taken as it is; one that tells nonsense is not.
        grid = header.hasGrid ? try WorldCoordinates(header, at: url.path).grid : nil
        limb = instrument.limb ?? (masksOffDisk ? 1 : nil)
        regions = Region.regions(header: header, fileName: name)
        factor = try MagnetogramFile.gaussPerUnit(header, at: location)
    }

    /// The middle of the exposure; see ``Magnetogram/init(reading:)``.
    package var time: ObservationTime? {
        ObservationTime(header)
            ?? source.lastPathComponent.firstMatch(of: /(?:^|\D)(\d{8}_\d{6})(?:\D|$)/).flatMap { ObservationTime("\($0.1)_TAI") }
    }

    /// All of it.
    /// - Throws: `Failure` (`.badData`) if the pixels cannot be read, if not one has a value, or if one is no field of the Sun.
    package func whole() throws -> Magnetogram {
        var images: [Image] = []
        return try whole(isTurned: false, reusing: &images)
    }

    /// All of it, turned and in memory as ``parts(_:isTurned:reusing:)`` says.
    package func whole(isTurned: Bool, reusing images: inout [Image]) throws -> Magnetogram {
        let map = try parts([(0, 0, width, height)], isTurned: isTurned, reusing: &images).first
        guard let map, map.image.pixels.contains(where: \.isFinite) else {
            throw Failure(
                .badData, "no pixel has a value", at: "\(source.path), HDU \(plane.hdu)", expected: "an image with data",
                found: "\(width * height) undefined pixels", remedy: "leave the file out")
        }
        return map
    }

    /// Parts of the image, and of its header, each by its lowest left pixel (from 0) and its size, read in one pass over the rows that hold them.
    ///
    /// Where the disk is known and all pixels of these rows beyond the limb have one and the same value, that value is a fill and becomes NaN; where
    /// these pixels are masked, all of them do.
    /// - Parameters:
    ///   - isTurned: whether the image is turned by 180° first, as ``Magnetogram/turned()`` does; the places are those in the turned image then.
    ///   - images: images whose memory may be used, and those of the parts afterwards: for many files one after the other, fresh memory costs more than
    ///     what is done with it.
    /// - Throws: `Failure` (`.badData`) if the pixels cannot be read, or if one is no field of the Sun (``Image/checkField(at:)``).
    /// - Precondition: the parts lie within the image.
    package func parts(
        _ frames: [(x: Int, y: Int, width: Int, height: Int)], isTurned: Bool, reusing images: inout [Image]
    ) throws -> [Magnetogram] {
        // Places in the file.
        let places = frames.map { isTurned ? (x: width - $0.x - $0.width, y: height - $0.y - $0.height, width: $0.width, height: $0.height) : $0 }
        images.removeLast(max(0, images.count - frames.count))
        for (index, frame) in frames.enumerated() {
            if index < images.count, images[index].width == frame.width, images[index].height == frame.height { continue }
            let image = Image(width: frame.width, height: frame.height, repeating: .nan)
            if index < images.count { images[index] = image } else { images.append(image) }
        }
        let disk = Disk(header)
        var fill = limb == nil ? disk.map { OffDiskFill($0) } : nil
        let block = 16
        let buffer = UnsafeMutablePointer<Float>.allocate(capacity: block * width)
        defer { buffer.deallocate() }
        for start in stride(from: 0, to: height, by: block) {
            let wanted = places.indices.filter { places[$0].y < start + block && places[$0].y + places[$0].height > start }
            let rows = start..<min(start + block, height)
            guard !wanted.isEmpty else { continue }
            try file.read(rows, of: plane, into: buffer)
            for y in rows {
                let row = UnsafeMutableBufferPointer(start: buffer + (y - start) * width, count: width)
                if factor != 1 { for x in 0..<width { row[x] *= factor } }
                if fill?.isRefuted == false { fill?.look(at: UnsafeBufferPointer(row), y) }
                for index in wanted where (places[index].y..<places[index].y + places[index].height).contains(y) {
                    let place = places[index], line = isTurned ? place.y + place.height - 1 - y : y - place.y
                    images[index].pixels.withUnsafeMutableBufferPointer { pixels in
                        guard let target = pixels.baseAddress.map({ $0 + line * place.width }), let source = row.baseAddress.map({ $0 + place.x })
                        else { return }
                        if isTurned {
                            target.updateReversed(from: source, count: place.width)
                        } else {
                            target.update(from: source, count: place.width)
                        }
                    }
                }
            }
        }
        var upright = header
        if isTurned { upright.turnGrid(width: width, height: height) }
        let hidden = (limb.map { disk?.scaled(by: $0) } ?? (fill?.isFill == true ? disk : nil)).map { isTurned ? $0.turned(in: self) : $0 }
        let remarks = file.remarks(on: plane)
        return try images.indices.map { index in
            hidden?.removeOutside(from: &images[index], x: frames[index].x, y: frames[index].y)
            try images[index].checkField(at: "\(source.path), HDU \(plane.hdu)")
            var part = Magnetogram(image: images[index], file: self)
            part.header = upright
            part.remarks = remarks
            if part.image.width < width || part.image.height < height { part.header.cropGrid(x: frames[index].x, y: frames[index].y) }
            return part
        }
    }

    private static func gaussPerUnit(_ header: FITSHeader, at location: String) throws -> Float {
        // Files exported from JSOC in 2025 call the keyword _BUNIT.
        guard let unit = header.string("BUNIT") ?? header.string("_BUNIT") else { return 1 }
        switch unit.lowercased().filter({ !$0.isWhitespace }) {
        case "gauss", "g", "mx/cm^2", "mx/cm2", "mx/cm**2", "mxcm^-2", "mxcm-2", "maxwell/cm^2": return 1
        case "kg", "kgauss", "kilogauss": return 1000
        case "t", "tesla": return 10000
        case "mt": return 10
        default:
            throw Failure(
                .badData, "the image is not a magnetogram", at: "\(location), BUNIT", expected: "Gauss or Mx/cm^2", found: unit,
                remedy: "give a magnetogram, or correct the keyword")
        }
    }
}

extension UnsafeMutablePointer<Float> {
    /// Takes the values of `source`, the last one first.
    fileprivate func updateReversed(from source: UnsafeMutablePointer<Float>, count: Int) {
        var index = 0
        while index + 4 <= count {
            let values = UnsafeRawPointer(source + (count - index - 4)).loadUnaligned(as: SIMD4<Float>.self)
            UnsafeMutableRawPointer(self + index).storeBytes(of: SIMD4(values.w, values.z, values.y, values.x), as: SIMD4<Float>.self)
            index += 4
        }
        while index < count {
            self[index] = source[count - 1 - index]
            index += 1
        }
    }
}

/// The disk of the Sun in an image.
private struct Disk {
    private let centre: SIMD2<Double>
    private let radius: Double

    /// Nil if the header does not tell.
    init?(_ header: FITSHeader) {
        guard let disk = PixelGrid(header)?.disk else { return nil }
        (centre, radius) = disk
    }

    private init(centre: SIMD2<Double>, radius: Double) { (self.centre, self.radius) = (centre, radius) }

    func scaled(by factor: Double) -> Disk { Disk(centre: centre, radius: factor * radius) }

    /// In the image turned by 180°.
    func turned(in file: MagnetogramFile) -> Disk {
        Disk(centre: SIMD2(Double(file.width - 1), Double(file.height - 1)) - centre, radius: radius)
    }

    /// The columns of a row that lie beyond the limb.
    func outside(row y: Int, from start: Int, to end: Int) -> [Range<Int>] {
        let dy = Double(y) - centre.y, square = radius * radius - dy * dy
        guard square >= 0 else { return [start..<end] }
        let half = square.squareRoot()
        func within(_ column: Double) -> Int { Int(min(max(column, Double(start)), Double(end))) }
        let first = within((centre.x - half).rounded(.up)), last = within((centre.x + half).rounded(.down) + 1)
        return first < last ? [start..<first, last..<end] : [start..<end]
    }

    /// Makes NaN of what lies beyond the limb in an image whose lowest left pixel is (`x`, `y`) of the whole.
    func removeOutside(from image: inout Image, x: Int, y: Int) {
        let width = image.width
        for row in 0..<image.height {
            for columns in outside(row: y + row, from: x, to: x + width) {
                for column in columns { image[column - x, row] = .nan }
            }
        }
    }
}

/// A value that all pixels beyond the limb have.
private struct OffDiskFill {
    private let disk: Disk
    private var value = Float.nan
    private var count = 0
    /// Whether two pixels beyond the limb differ, so that there is no fill.
    private(set) var isRefuted = false

    init(_ disk: Disk) { self.disk = disk }

    /// Whether what was looked at is one; few pixels may be equal by chance, since values are stored in steps of 0.1 G.
    var isFill: Bool { !isRefuted && count >= 16 }

    mutating func look(at row: UnsafeBufferPointer<Float>, _ y: Int) {
        for columns in disk.outside(row: y, from: 0, to: row.count) {
            for x in columns where row[x].isFinite {
                if count == 0 { value = row[x] }
                count += 1
                if row[x] != value {
                    isRefuted = true
                    return
                }
            }
        }
    }
}

extension Instrument {
    /// That of a file, as its header or its name tells.
    /// - Throws: `Failure` if it cannot be read.
    public init(of file: URL) throws { self = try MagnetogramFile(reading: file).instrument }
}
