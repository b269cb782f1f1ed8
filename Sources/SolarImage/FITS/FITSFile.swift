import CFITSIO
import Foundation
import Groundwork

/// An image of a FITS file with the header it came with.
public struct FITSImage: Sendable {
    /// Physical values (scaled by `BSCALE` and `BZERO`); NaN where the file says that there is none.
    public var image: Image
    public var header: FITSHeader
    /// `EXTNAME`, if there is one.
    public var name: String?
    /// The number of the header and data unit, 0 for the primary one.
    public var hdu: Int
}

/// A FITS file open for reading: images plain or tile-compressed, also in a file that is gzip-compressed as a whole.
///
/// Not for use by two threads at a time; open one for each thread.
public final class FITSFile {
    /// What a header and data unit holds.
    public enum Content: Sendable, Equatable {
        /// An image with the lengths of its axes, the fastest first; empty where there are no pixels.
        case image(axes: [Int])
        case table
    }

    public let url: URL
    private let handle: UnsafeMutablePointer<fitsfile>
    private let structure: FITSStructure

    /// Opens the file of exactly that name (no brackets or filters in it mean anything).
    /// - Throws: `Failure`: `.missingInput` if there is no such file, `.badData` if it is a folder, empty or no FITS file.
    public init(reading url: URL) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw Failure(.missingInput, "there is no such file", at: url.path, remedy: "check the path")
        }
        guard !isFolder.boolValue else {
            throw Failure(.badData, "is a folder", at: url.path, expected: "a FITS file", remedy: "give one of its files")
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int) ?? nil
        guard size != 0 else {
            throw Failure(.badData, "the file is empty", at: url.path, expected: "a FITS file", found: "0 bytes", remedy: "fetch it again")
        }
        structure = FITSStructure(of: url)
        if let damage = structure.damage, damage.hdu == 0 { throw damage.failure }
        ffcmsg()  // fits_clear_errmsg
        var opened: UnsafeMutablePointer<fitsfile>?
        var status: CInt = 0
        ffdkopn(&opened, url.path, READONLY, &status)  // fits_open_diskfile: the name is taken literally
        guard status == 0, let opened else {
            throw fitsFailure(
                .badData, "cannot be read as FITS", status: status, at: url.path, expected: "a FITS file, which begins with SIMPLE",
                remedy: "check that it was fetched whole and is no web page or text")
        }
        self.url = url
        handle = opened
    }

    deinit {
        var status: CInt = 0
        ffclos(handle, &status)  // fits_close_file
    }

    /// What the units of the file hold, in order.
    /// - Throws: `Failure` (`.badData`) if a header cannot be read.
    public func contents() throws -> [(name: String?, content: Content)] {
        var units: [(name: String?, content: Content)] = []
        while try move(to: units.count) { units.append((try header().string("EXTNAME"), try content())) }
        return units
    }

    /// The first image with two axes; axes of length 1 beyond the second are dropped.
    /// - Throws: `Failure` (`.badData`) if there is none, if it is larger than the file can hold or cut short, or if it has not one pixel with a
    ///   value.
    public func firstImage() throws -> FITSImage {
        var seen: [String] = []
        var hdu = 0
        while try move(to: hdu) {
            switch try content() {
            case .image(let axes) where FITSFile.isPlane(axes):
                let image = try readImage(axes)
                guard image.image.pixels.contains(where: \.isFinite) else {
                    throw Failure(
                        .badData, "no pixel has a value", at: location, expected: "an image with data",
                        found: "\(image.image.pixels.count) undefined pixels",
                        remedy: "leave the file out")
                }
                return image
            case .image(let axes): if !axes.isEmpty { seen.append("HDU \(hdu) of \(axes.map(String.init).joined(separator: " × ")) pixels") }
            case .table: seen.append("a table in HDU \(hdu)")
            }
            hdu += 1
        }
        throw Failure(
            .badData, "holds no two-dimensional image", at: url.path, expected: "an image with 2 axes",
            found: seen.isEmpty ? "headers without data" : seen.joined(separator: ", "), remedy: "give a file with one magnetogram")
    }

    /// The image whose `EXTNAME` is `name` (case does not matter); nil if there is no such extension.
    /// - Throws: `Failure` (`.badData`) if it is not two-dimensional or cannot be read.
    public func image(named name: String) throws -> FITSImage? {
        var hdu = 0
        while try move(to: hdu) {
            hdu += 1
            guard try header().string("EXTNAME")?.uppercased() == name.uppercased() else { continue }
            guard case .image(let axes) = try content(), FITSFile.isPlane(axes) else {
                throw Failure(.badData, "the extension \(name) is not an image with 2 axes", at: location)
            }
            return try readImage(axes)
        }
        return nil
    }
}

extension FITSFile {
    private var location: String { "\(url.path), HDU \(max(1, hduNumber) - 1)" }

    private var hduNumber: Int {
        var number: CInt = 0
        return Int(ffghdn(handle, &number))  // fits_get_hdu_num
    }

    private static func isPlane(_ axes: [Int]) -> Bool {
        axes.count >= 2 && axes[0] > 0 && axes[1] > 0 && axes.dropFirst(2).allSatisfy { $0 == 1 }
    }

    /// Moves to the unit with that number from 0; false if the file ends before it.
    private func move(to hdu: Int) throws -> Bool {
        if let damage = structure.damage, hdu >= damage.hdu { throw damage.failure }
        ffcmsg()
        var status: CInt = 0
        ffmahd(handle, CInt(hdu + 1), nil, &status)  // fits_movabs_hdu
        if status == END_OF_FILE { return false }
        guard status == 0 else {
            throw fitsFailure(.badData, "the header cannot be read", status: status, at: "\(url.path), HDU \(hdu)", remedy: "fetch the file again")
        }
        return true
    }

    private func header() throws -> FITSHeader {
        var count: CInt = 0
        var status: CInt = 0
        ffghsp(handle, &count, nil, &status)  // fits_get_hdrspace
        var records: [String] = []
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(FLEN_CARD)) { buffer in
            buffer.initialize(repeating: 0)
            guard let text = buffer.baseAddress else { return }
            for number in 0..<max(0, count) {
                ffgrec(handle, number + 1, text, &status)  // fits_read_record
                records.append(String(cString: text))
            }
        }
        guard status == 0 else {
            throw fitsFailure(.badData, "the header cannot be read", status: status, at: location, remedy: "fetch the file again")
        }
        return FITSHeader(FITSCard.cards(from: records))
    }

    private func content() throws -> Content {
        var type: CInt = 0
        var status: CInt = 0
        ffghdt(handle, &type, &status)  // fits_get_hdu_type; a tile-compressed image counts as an image
        guard status == 0, type == IMAGE_HDU else { return .table }
        var axisCount: CInt = 0
        ffgidm(handle, &axisCount, &status)  // fits_get_img_dim
        var axes = [Int64](repeating: 0, count: Int(max(0, axisCount)))
        if axisCount > 0 { ffgiszll(handle, axisCount, &axes, &status) }  // fits_get_img_sizell
        guard status == 0 else { throw fitsFailure(.badData, "the shape of the image cannot be read", status: status, at: location) }
        return .image(axes: axes.map(Int.init))
    }

    private func readImage(_ axes: [Int]) throws -> FITSImage {
        let header = try header()
        let count = try pixelCount(axes, header)
        var first = [Int64](repeating: 1, count: axes.count)
        var none = Float.nan
        var (anyNone, status): (CInt, CInt) = (0, 0)
        let pixels = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            buffer.initialize(repeating: .nan)
            ffgpxvll(handle, TFLOAT, &first, Int64(count), &none, buffer.baseAddress, &anyNone, &status)  // fits_read_pixll
            initialized = count
        }
        guard status == 0 else {
            throw fitsFailure(
                .badData, "the pixels cannot be read", status: status, at: location, expected: "\(axes[0]) × \(axes[1]) pixels",
                remedy: "fetch the file again")
        }
        var image = Image(width: axes[0], height: axes[1], pixels: pixels)
        removeFill(&image, header)
        return FITSImage(image: image, header: header, name: header.string("EXTNAME"), hdu: hduNumber - 1)
    }

    /// The number of pixels, after checking that the file is large enough to hold them, so that a corrupt header cannot ask for absurd memory.
    private func pixelCount(_ axes: [Int], _ header: FITSHeader) throws -> Int {
        var (dataStart, status) = (Int64(0), CInt(0))
        ffghadll(handle, nil, &dataStart, nil, &status)  // fits_get_hduaddrll
        let available = Int(handle.pointee.Fptr.pointee.filesize - dataStart)
        let shape = "\(axes[0]) × \(axes[1])"
        let stored = FITSStructure.dataSize(header)
        guard status == 0, let stored, stored <= available else {
            throw Failure(
                .badData, "the file is cut short, or its header is wrong", at: location,
                expected: "\(stored.map(String.init) ?? "countless") bytes for \(shape) pixels",
                found: "\(max(0, available)) bytes", remedy: "fetch the file again")
        }
        let (count, overflow) = axes[0].multipliedReportingOverflow(by: axes[1])
        let tile = [header.integer("ZTILE1") ?? 1, header.integer("ZTILE2") ?? 1].reduce(1.0) { $0 * Double($1) }
        // The strongest compression of the standard, PLIO with runs of 4095 pixels in 2 bytes, stays below this; so do gzip (1032) and Rice (205).
        guard !overflow, Double(count) <= 2048 * Double(available), tile <= 2048 * Double(available) else {
            throw Failure(
                .badData, "the header asks for more pixels than the file can hold", at: location, expected: "at most 2048 pixels a byte",
                found: "\(shape) pixels in \(available) bytes", remedy: "fetch the file again")
        }
        return count
    }

    /// Makes NaN of infinite values, and of the most negative integer of an image of signed integers that names no `BLANK`.
    ///
    /// That integer has no positive counterpart, so no signed measurement takes it; programs use it for "no data" whether or not they say so
    /// (Mount Wilson magnetograms of the 1990s do: −32768 × 0.05 G off the disk). With a `BZERO` that makes the integers unsigned it is a value like
    /// any other.
    private func removeFill(_ image: inout Image, _ header: FITSHeader) {
        let isCompressed = header.logical("ZIMAGE") == true
        let bits = header.integer(isCompressed ? "ZBITPIX" : "BITPIX") ?? -32
        let zero = header.real("BZERO") ?? 0
        var fill = Float.nan
        if bits == 16 || bits == 32, !header.contains("BLANK"), !header.contains("ZBLANK"),
            abs(zero) < Double(sign: .plus, exponent: bits - 1, significand: 1)
        {
            fill = Float(-Double(sign: .plus, exponent: bits - 1, significand: 1) * (header.real("BSCALE") ?? 1) + zero)
        }
        image.pixels.withUnsafeMutableBufferPointer { pixels in
            for index in pixels.indices where !pixels[index].isFinite || pixels[index] == fill { pixels[index] = .nan }
        }
    }
}
