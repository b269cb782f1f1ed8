import CFITSIO
import Foundation
import Groundwork
import Synchronization

/// An image of a FITS file with the header it came with.
public struct FITSImage: Sendable {
    /// Physical values (scaled by `BSCALE` and `BZERO`); NaN where the file says that there is none.
    public var image: Image
    public var header: FITSHeader
    /// `EXTNAME`, if there is one.
    public var name: String?
    /// The number of the header and data unit, 0 for the primary one.
    public var hdu: Int
    /// What its user should know, such as that a check sum does not fit.
    public var remarks: [String] = []
}

/// A two-dimensional image of a FITS file whose pixels are still to be read.
package struct FITSPlane: Sendable {
    package let header: FITSHeader
    package let width: Int, height: Int
    package let hdu: Int
    let axisCount: Int
    /// Its place along the third axis, from 0.
    var index = 0
    /// Whether pixels are stored as integers.
    let isInteger: Bool
    /// A value that stands for none; NaN if there is no such value.
    let fill: Float
}

/// A FITS file open for reading: images plain or tile-compressed, also in a file that is gzip-compressed as a whole.
///
/// Not for use by two threads at a time; open one for each thread.
public final class FITSFile {
    /// Whether several threads may read files, one each: whether cfitsio was built for that.
    package static let allowsThreads = fits_is_reentrant() != 0

    /// To be read before cfitsio opens anything: two threads that opened their first files at once would both set up its lock, one while the other
    /// holds it.
    static let isReady: Bool = fits_init_cfitsio() == 0

    /// The most pixels that an image may have: a damaged header could ask for any number.
    package static var largestImage: Int { mostPixels.load(ordering: .relaxed) }

    /// - Precondition: `pixels` is positive.
    package static func setLargestImage(pixels: Int) {
        precondition(pixels > 0, "images of at most \(pixels) pixels")
        mostPixels.store(min(pixels, 1 << 40), ordering: .relaxed)
    }

    private static let mostPixels = Atomic(16384 * 16384)

    /// What a header and data unit holds.
    public enum Content: Sendable, Equatable {
        /// An image with the lengths of its axes, the fastest first; empty where there are no pixels.
        case image(axes: [Int])
        case table
    }

    public let url: URL
    /// cfitsio's, once pixels are to be read: what headers tell is known without it.
    private var opened: UnsafeMutablePointer<fitsfile>?
    private let structure: FITSStructure
    /// In use as long as the file is.
    private let bytes: FITSBytes
    /// The units whose compressed pixels were found sound.
    private var sound: Set<Int> = []
    /// What was found out about the data of units.
    private var known: [Int: [String]] = [:]

    /// Opens the file of exactly that name (no brackets or filters in it mean anything).
    /// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it is a folder, empty, damaged or no FITS file.
    public convenience init(reading url: URL) throws { try self.init(reading: url, bytes: nil) }

    /// Opens a file whose bytes are in memory already, if given.
    package init(reading url: URL, bytes: FileBytes?) throws {
        let path = url.path
        var state = stat()
        guard stat(path, &state) == 0 else { throw Self.missing(url) }
        guard state.st_mode & S_IFMT != S_IFDIR else {
            throw Failure(.badData, "is a folder", at: path, expected: "a FITS file", remedy: "give one of its files")
        }
        guard state.st_size != 0 else {
            throw Failure(.badData, "the file is empty", at: path, expected: "a FITS file", found: "0 bytes", remedy: "fetch it again")
        }
        self.bytes = try FITSBytes.open(url, in: bytes)
        structure = FITSStructure(of: self.bytes, at: path)
        guard structure.isWhole || !self.bytes.isCutShort else {
            throw Failure(.badData, "the compressed file is cut short", at: path, remedy: "fetch it again")
        }
        if let damage = structure.damage, damage.hdu == 0 { throw damage.failure }
        self.url = url
    }

    deinit {
        var status: CInt = 0
        if let opened { ffclos(opened, &status) }  // fits_close_file
    }

    /// What is wrong where there is no file of that name: a name with bytes that are no text finds none.
    static func missing(_ url: URL) -> Failure {
        // U+FFFD stands in the place of such bytes.
        guard url.path.contains("\u{FFFD}") else { return Failure(.missingInput, "there is no such file", at: url.path, remedy: "check the path") }
        return Failure(.badData, "a name cannot be read", at: url.path, expected: "UTF-8", remedy: "rename the file or its folder")
    }

    /// What the units of the file hold, in order.
    /// - Throws: `Failure` (`.badData`) if a header cannot be read.
    public func contents() throws -> [(name: String?, content: Content)] {
        var units: [(name: String?, content: Content)] = []
        while let unit = try unit(units.count) { units.append((unit.header.string("EXTNAME"), unit.content)) }
        return units
    }

    /// The first image with two axes; axes of length 1 beyond the second are dropped.
    /// - Throws: `Failure` (`.badData`) if there is none, if it is larger than the file can hold or cut short, or if it has not one pixel with a
    ///   value.
    public func firstImage() throws -> FITSImage { try image(firstPlane()) }

    /// Where the first image with two axes stands, with its header; its pixels are not read yet.
    /// - Throws: `Failure` (`.badData`) if there is none, or if it is larger than the file can hold or cut short.
    package func firstPlane() throws -> FITSPlane {
        var seen: [String] = []
        var hdu = 0
        while let unit = try unit(hdu) {
            switch unit.content {
            case .image(let axes) where FITSFile.isPlane(axes): return try plane(axes, hdu)
            case .image(let axes): if !axes.isEmpty { seen.append("HDU \(hdu) of \(axes.map(String.init).joined(separator: " × ")) pixels") }
            case .table: seen.append("a table in HDU \(hdu)")
            }
            hdu += 1
        }
        throw Failure(
            .badData, "holds no two-dimensional image", at: url.path, expected: "an image with 2 axes",
            found: seen.isEmpty ? "headers without data" : seen.joined(separator: ", "), remedy: "give a file with one magnetogram")
    }

    /// All pixels of an image.
    /// - Throws: `Failure` (`.badData`) if they cannot be read, or if not one has a value.
    package func image(_ plane: FITSPlane) throws -> FITSImage {
        let pixels = try [Float](unsafeUninitializedCapacity: plane.width * plane.height) { buffer, initialized in
            guard let start = buffer.baseAddress else { return }
            try read(0..<plane.height, of: plane, into: start)
            initialized = buffer.count
        }
        guard pixels.contains(where: \.isFinite) else {
            throw Failure(
                .badData, "no pixel has a value", at: location(plane.hdu), expected: "an image with data", found: "\(pixels.count) undefined pixels",
                remedy: "leave the file out")
        }
        return FITSImage(
            image: Image(width: plane.width, height: plane.height, pixels: pixels), header: plane.header, name: plane.header.string("EXTNAME"),
            hdu: plane.hdu, remarks: remarks(on: plane))
    }

    /// What the user of an image should know of its data: that `DATASUM` does not fit them. Reads all of them once.
    package func remarks(on plane: FITSPlane) -> [String] {
        if let known = known[plane.hdu] { return known }
        let unit = structure.units[plane.hdu]
        var remarks: [String] = []
        // GONG's programs of 2009 wrote the largest signed number for every sum beyond it.
        if let expected = unit.header.string("DATASUM").flatMap({ UInt32($0) }), expected != Int32.max {
            // The sum of blocks; all ones are zero, too.
            let sum = bytes.sum(FITSStructure.wholeBlocks(unit.size), from: unit.dataStart)
            if sum % .max != expected % .max {
                remarks.append("\(url.lastPathComponent), HDU \(plane.hdu): DATASUM does not fit the data, which may be damaged")
            }
        }
        known[plane.hdu] = remarks
        return remarks
    }

    /// Physical values of some rows of an image, from the lowest on; NaN where the file says that there is none.
    /// - Parameter target: room for `rows.count` × `plane.width` values, which need not be initialised.
    /// - Throws: `Failure` (`.badData`) if they cannot be read.
    /// - Precondition: the image has these rows.
    package func read(_ rows: Range<Int>, of plane: FITSPlane, into target: UnsafeMutablePointer<Float>) throws {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= plane.height, "rows \(rows) of an image of \(plane.height)")
        let count = rows.count * plane.width
        guard count > 0 else { return }
        let handle = try moved(to: plane.hdu)
        if !sound.contains(plane.hdu) {
            let unit = structure.units[plane.hdu]
            try unit.tiles?.check(bytes, dataStart: unit.dataStart, at: location(plane.hdu))
            sound.insert(plane.hdu)
        }
        var first = [Int64](repeating: 1, count: plane.axisCount)
        first[1] = Int64(rows.lowerBound + 1)
        if plane.axisCount > 2 { first[2] = Int64(plane.index + 1) }
        var none = Float.nan
        var (anyNone, status): (CInt, CInt) = (0, 0)
        ffgpxvll(handle, TFLOAT, &first, Int64(count), &none, target, &anyNone, &status)  // fits_read_pixll
        guard status == 0 else {
            throw fitsFailure(
                .badData, "the pixels cannot be read", status: status, at: location(plane.hdu), expected: "\(plane.width) × \(plane.height) pixels",
                remedy: "fetch the file again")
        }
        // Of integers cfitsio has made NaN of what has no value; nothing is infinite.
        if plane.isInteger, plane.fill.isNaN { return }
        let fill = plane.fill
        for index in 0..<count where !(abs(target[index]) < .infinity && target[index] != fill) { target[index] = .nan }
    }

    /// The image whose `EXTNAME` is `name` (case does not matter); nil if there is no such extension.
    /// - Throws: `Failure` (`.badData`) if it is not two-dimensional or cannot be read.
    public func image(named name: String) throws -> FITSImage? { try plane(named: name).map { try image($0) } }

    /// Where that image stands, with its header; its pixels are not read yet.
    package func plane(named name: String) throws -> FITSPlane? {
        guard let hdu = try number(of: name) else { return nil }
        guard case .image(let axes) = structure.units[hdu].content, FITSFile.isPlane(axes) else {
            throw Failure(.badData, "the extension \(name) is not an image with 2 axes", at: location(hdu))
        }
        return try plane(axes, hdu)
    }

    /// The headers of all units as they stand in the file, one after the other. Where they tell `DATASUM`, they tell the data apart too.
    package var headers: Data {
        structure.units.reduce(into: Data()) { all, unit in
            var header = Data(count: unit.dataStart - unit.start)
            let count = header.withUnsafeMutableBytes { buffer in
                buffer.baseAddress.map { bytes.read(buffer.count, at: unit.start, into: $0) } ?? 0
            }
            all.append(header.prefix(count))
        }
    }

    /// The images along the third axis of the extension whose `EXTNAME` is `name` (case does not matter); nil if there is no such extension.
    /// - Throws: `Failure` (`.badData`) if it has not three axes, if an image has not one pixel with a value, or if it cannot be read.
    public func cube(named name: String) throws -> [Image]? {
        guard let hdu = try number(of: name) else { return nil }
        guard case .image(let axes) = structure.units[hdu].content, axes.count >= 3, axes[2] > 0, FITSFile.isPlane(Array(axes[..<2] + axes[3...]))
        else {
            throw Failure(.badData, "the extension \(name) is not an image with 3 axes", at: location(hdu))
        }
        var plane = try plane(axes, hdu)
        return try (0..<axes[2]).map { index in
            plane.index = index
            return try image(plane).image
        }
    }
}

extension FITSFile {
    private func location(_ hdu: Int) -> String { "\(url.path), HDU \(hdu)" }

    private static func isPlane(_ axes: [Int]) -> Bool {
        axes.count >= 2 && axes[0] > 0 && axes[1] > 0 && axes.dropFirst(2).allSatisfy { $0 == 1 }
    }

    /// The unit with that number from 0; nil if the file ends before it.
    /// - Throws: `Failure` (`.badData`) if a header before its end makes no sense.
    private func unit(_ hdu: Int) throws -> FITSStructure.Unit? {
        if let damage = structure.damage, hdu >= damage.hdu { throw damage.failure }
        return hdu < structure.units.count ? structure.units[hdu] : nil
    }

    /// The number of the unit with that `EXTNAME`; nil if there is none.
    private func number(of name: String) throws -> Int? {
        let name = name.uppercased()
        if let hdu = structure.units.firstIndex(where: { $0.header.string("EXTNAME")?.uppercased() == name }) { return hdu }
        if let damage = structure.damage { throw damage.failure }
        return nil
    }

    private func plane(_ axes: [Int], _ hdu: Int) throws -> FITSPlane {
        let own = structure.units[hdu].header
        try checkSize(axes, hdu)
        let bits = FITSFile.bits(own)
        return FITSPlane(
            header: hdu > 0 ? own.inheriting(from: structure.units[0].header) : own, width: axes[0], height: axes[1], hdu: hdu,
            axisCount: axes.count, isInteger: bits > 0, fill: FITSFile.fill(own, bits: bits))
    }

    /// cfitsio's handle, opened if need be, at the unit with that number, which it must understand as its header is understood here.
    /// - Throws: `Failure` (`.badData`) if it cannot be read or is understood otherwise.
    private func moved(to hdu: Int) throws -> UnsafeMutablePointer<fitsfile> {
        let handle = try opened ?? open()
        opened = handle
        var status: CInt = 0
        ffmahd(handle, CInt(hdu + 1), nil, &status)  // fits_movabs_hdu
        guard status == 0 else {
            throw fitsFailure(.badData, "the header cannot be read", status: status, at: location(hdu), remedy: "fetch the file again")
        }
        let unit = structure.units[hdu], isCompressed = fits_is_compressed_image(handle, &status) != 0
        var (start, dataStart) = (Int64(0), Int64(0))
        ffghadll(handle, &start, &dataStart, nil, &status)  // fits_get_hduaddrll
        guard status == 0, start == unit.start, dataStart == unit.dataStart, isCompressed == (unit.tiles != nil),
            FITSFile.content(handle) == unit.content
        else {
            throw Failure(
                .badData, "the header makes no sense", at: location(hdu), expected: "data from byte \(unit.dataStart) on",
                found: "byte \(dataStart)", remedy: "fetch the file again")
        }
        return handle
    }

    private func open() throws -> UnsafeMutablePointer<fitsfile> {
        _ = FITSFile.isReady
        var opened: UnsafeMutablePointer<fitsfile>?
        var status: CInt = 0
        switch bytes.place {
        case .memory(let memory):
            ffomem(&opened, "memory", READONLY, memory.start, memory.filledCount, 0, nil, &status)  // fits_open_memfile
        case .file: ffdkopn(&opened, url.path, READONLY, &status)  // fits_open_diskfile: the name is taken literally
        }
        guard status == 0, let opened else {
            throw fitsFailure(
                .badData, "cannot be read as FITS", status: status, at: url.path, expected: "a FITS file, which begins with SIMPLE",
                remedy: "check that it was fetched whole and is no web page or text")
        }
        return opened
    }

    /// What cfitsio takes the present unit for; nil if it cannot tell.
    private static func content(_ handle: UnsafeMutablePointer<fitsfile>) -> Content? {
        var (type, axisCount, status) = (CInt(0), CInt(0), CInt(0))
        ffghdt(handle, &type, &status)  // fits_get_hdu_type; a tile-compressed image counts as an image
        guard status == 0, type == IMAGE_HDU else { return .table }
        ffgidm(handle, &axisCount, &status)  // fits_get_img_dim
        var axes = [Int64](repeating: 0, count: Int(max(0, axisCount)))
        if axisCount > 0 { ffgiszll(handle, axisCount, &axes, &status) }  // fits_get_img_sizell
        return status == 0 ? .image(axes: axes.map(Int.init)) : nil
    }

    /// Checks that the file is large enough to hold the pixels, so that a corrupt header cannot ask for absurd memory.
    private func checkSize(_ axes: [Int], _ hdu: Int) throws {
        let unit = structure.units[hdu], location = location(hdu), available = max(0, bytes.length - unit.dataStart)
        let shape = axes.map(String.init).joined(separator: " × ")
        guard unit.size <= available else {
            throw Failure(
                .badData, "the file is cut short, or its header is wrong", at: location, expected: "\(unit.size) bytes for \(shape) pixels",
                found: "\(available) bytes", remedy: "fetch the file again")
        }
        // Overflows to infinity, which is more than any file holds.
        func product(_ lengths: some Sequence<Int>) -> Double { lengths.reduce(1) { $0 * Double($1) } }
        let count = product(axes), tile = product(unit.tiles?.tile ?? [])
        // The strongest compression of the standard, PLIO with runs of 4095 pixels in 2 bytes, stays below this; so do gzip (1032) and Rice (205).
        guard count <= 2048 * Double(available), tile <= 2048 * Double(available) else {
            throw Failure(
                .badData, "the header asks for more pixels than the file can hold", at: location, expected: "at most 2048 pixels a byte",
                found: "\(shape) pixels in \(available) bytes", remedy: "fetch the file again")
        }
        guard product(axes.prefix(2)) <= Double(FITSFile.largestImage), tile <= Double(FITSFile.largestImage) else {
            throw Failure(
                .badData, "the image is larger than allowed", at: location, expected: "at most \(FITSFile.largestImage) pixels", found: "\(shape)",
                remedy: "cut out a part first, or allow it with --largest-image")
        }
    }

    /// What stands for no value besides NaN, infinity and `BLANK`: the most negative integer of an image of signed integers that names no `BLANK`. NaN if
    /// there is no such value.
    ///
    /// That integer has no positive counterpart, so no signed measurement takes it; programs use it for "no data" whether or not they say so
    /// (Mount Wilson magnetograms of the 1990s do: −32768 × 0.05 G off the disk). With a `BZERO` that makes the integers unsigned it is a value like
    /// any other.
    private static func fill(_ header: FITSHeader, bits: Int) -> Float {
        let zero = header.real("BZERO") ?? 0
        guard bits == 16 || bits == 32, !header.contains("BLANK"), !header.contains("ZBLANK"),
            abs(zero) < Double(sign: .plus, exponent: bits - 1, significand: 1)
        else { return .nan }
        return Float(-Double(sign: .plus, exponent: bits - 1, significand: 1) * (header.real("BSCALE") ?? 1) + zero)
    }

    /// `BITPIX`, negative for floating point.
    private static func bits(_ header: FITSHeader) -> Int {
        header.integer(header.logical("ZIMAGE") == true ? "ZBITPIX" : "BITPIX") ?? -32
    }
}
