import CWCS
import Foundation
import Groundwork

/// Where each pixel is on the sky or on the Sun, by wcslib (Calabretta & Greisen 2002, A&A 395, 1077; Thompson 2006, A&A 449, 791).
///
/// Pixels are counted from 0, as in ``PixelGrid``. World coordinates are (longitude, latitude) in the unit of their ``frame``. A value may be used by
/// many threads at a time.
public struct WorldCoordinates: Sendable {
    /// What world coordinates mean.
    public enum Frame: Sendable, Equatable {
        /// On the sky, from the centre of the Sun, to solar west and north: arcsec, longitude −648,000 to 648,000.
        case helioprojective
        /// On the Sun, rotating with it: degrees, longitude 0 to 360.
        case carrington
        /// On the Sun, from the central meridian as seen from Earth: degrees, longitude −180 to 180.
        case stonyhurst
    }

    public let frame: Frame
    /// The linear part.
    public let grid: PixelGrid
    private let projection: Projection

    /// Whether the image is projected onto a plane that touches the sky.
    var isTangential: Bool { projection.code == "TAN" }

    /// What wcslib needs besides the linear part.
    private struct Projection {
        /// Such as `TAN`.
        var code: String
        /// `PV2_1`, λ of the equal-area projection.
        var lambda: Double?
        var longitudePole: Double?, latitudePole: Double?
    }

    /// Reads the linear part as ``PixelGrid/init(checking:at:)`` does, the projection from `CTYPEn` (`solar-x`: `TAN`), `PV2_1` of equal-area maps,
    /// `LONPOLE` and `LATPOLE` where given. Other `PVi_m` and distortions are refused, alternative descriptions are not read.
    ///
    /// - Parameter location: the file, for messages.
    /// - Throws: `Failure` (`.badData`) that names the keyword which is missing, contradicts another or is not supported.
    public init(_ header: FITSHeader, at location: String? = nil) throws {
        let keywords = GridKeywords(header: header, location: location)
        grid = try PixelGrid(checking: header, at: location)
        let type = (header.string("CTYPE1") ?? "").uppercased()
        switch grid.projection {
        case .helioprojective:
            frame = .helioprojective
            projection = Projection(
                code: type.hasPrefix("HPLN-") ? String(type.dropFirst(5)) : "TAN", longitudePole: try keywords.number("LONPOLE"),
                latitudePole: try keywords.number("LATPOLE"))
        case .cylindricalEqualArea:
            frame = type.hasPrefix("CRLN") ? .carrington : .stonyhurst
            projection = Projection(
                code: "CEA", lambda: try keywords.number("PV2_1"), longitudePole: try keywords.number("LONPOLE"),
                latitudePole: try keywords.number("LATPOLE"))
        }
        do {
            _ = try WCSParameters(frame, grid, projection)
        } catch let error as WCSParameters.Refusal {
            throw keywords.failure(
                "these world coordinates cannot be computed", error.keyword(code: projection.code), found: "wcslib status \(error.status)")
        }
    }

    /// World coordinates of pixels; NaN where a pixel has none, as outside a map of the whole Sun.
    /// - Throws: `Failure` (`.other`) if there is no memory for it.
    public func world(at pixels: [SIMD2<Double>]) throws -> [SIMD2<Double>] {
        let scale = frame == .helioprojective ? 3600.0 : 1
        return try transform(pixels) { parameters, count, input, output, scratch in
            wcsp2s(parameters, count, 2, input, scratch.plane, scratch.phi, scratch.theta, output, scratch.status)
        } after: { world in
            // wcslib returns longitudes on the side of CRVAL1.
            let longitude = frame == .carrington ? HeliographicAngle.from0(world.x) : HeliographicAngle.aroundZero(world.x)
            return SIMD2(longitude, world.y) * scale
        }
    }

    /// Pixels of world coordinates; NaN where the projection does not show them. They need not lie in the image.
    /// - Throws: `Failure` (`.other`) if there is no memory for it.
    public func pixels(at world: [SIMD2<Double>]) throws -> [SIMD2<Double>] {
        let input = frame == .helioprojective ? world.map { $0 / 3600 } : world
        return try transform(input) { parameters, count, input, output, scratch in
            wcss2p(parameters, count, 2, input, scratch.phi, scratch.theta, scratch.plane, output, scratch.status)
        } after: {
            $0
        }
    }
}

extension WorldCoordinates {
    /// Where wcslib leaves what nobody asked for.
    private struct Scratch {
        let plane: UnsafeMutablePointer<Double>, phi: UnsafeMutablePointer<Double>, theta: UnsafeMutablePointer<Double>
        let status: UnsafeMutablePointer<CInt>
    }

    private typealias Call = (
        UnsafeMutablePointer<wcsprm>, CInt, UnsafePointer<Double>, UnsafeMutablePointer<Double>, Scratch
    ) -> CInt

    /// Passes points through wcslib, some thousand at a time so that they stay in the cache. wcslib may write into its parameters, so each call has its
    /// own (2 µs).
    private func transform(
        _ points: [SIMD2<Double>], by call: Call, after: (SIMD2<Double>) -> SIMD2<Double>
    ) throws -> [SIMD2<Double>] {
        let block = min(points.count, 4096)
        guard block > 0 else { return [] }
        let parameters: WCSParameters
        do { parameters = try WCSParameters(frame, grid, projection) } catch let error as WCSParameters.Refusal {
            throw Failure(.other, "world coordinates cannot be computed", found: "wcslib status \(error.status)", remedy: "free some memory")
        }
        let values = UnsafeMutablePointer<Double>.allocate(capacity: block * 4), status = UnsafeMutablePointer<CInt>.allocate(capacity: block)
        defer {
            values.deallocate()
            status.deallocate()
        }
        let scratch = Scratch(plane: values, phi: values + 2 * block, theta: values + 3 * block, status: status)
        return [SIMD2<Double>](unsafeUninitializedCapacity: points.count) { result, initialized in
            result.initialize(repeating: SIMD2(.nan, .nan))
            initialized = points.count
            points.withUnsafeBytes { input in
                let input = input.bindMemory(to: Double.self), output = UnsafeMutableRawBufferPointer(result).bindMemory(to: Double.self)
                guard let source = input.baseAddress, let target = output.baseAddress else { return }
                for start in stride(from: 0, to: points.count, by: block) {
                    let count = min(block, points.count - start)
                    // 0: all well. 8 and 9: those without coordinates are marked. Anything else: none has coordinates.
                    let outcome = call(parameters.pointer, CInt(count), source + 2 * start, target + 2 * start, scratch)
                    for index in 0..<count {
                        let point = SIMD2(target[2 * (start + index)], target[2 * (start + index) + 1])
                        let isValid = (outcome == 0 || ((outcome == 8 || outcome == 9) && status[index] == 0)) && point.x.isFinite && point.y.isFinite
                        let final = isValid ? after(point) : SIMD2(.nan, .nan)
                        (target[2 * (start + index)], target[2 * (start + index) + 1]) = (final.x, final.y)
                    }
                }
            }
        }
    }

    /// wcslib's description of one coordinate system.
    private final class WCSParameters {
        struct Refusal: Error {
            let status: CInt

            /// What `wcsset` refuses by that status.
            func keyword(code: String) -> String {
                switch status {
                case 5: code == "CEA" ? "PV2_1" : "CTYPE1"
                case 6: "LONPOLE, LATPOLE"
                default: "CTYPE1"
                }
            }
        }

        let pointer: UnsafeMutablePointer<wcsprm>

        init(_ frame: Frame, _ grid: PixelGrid, _ projection: Projection) throws {
            pointer = .allocate(capacity: 1)
            pointer.initialize(to: wcsprm())
            pointer.pointee.flag = -1
            let status = wcsinit(1, 2, pointer, 1, 0, 0)
            guard status == 0 else { throw Refusal(status: status) }
            let unit = frame == .helioprojective ? 3600.0 : 1
            let prefix = frame == .helioprojective ? "HP" : frame == .carrington ? "CR" : "HG"
            for axis in 0...1 {
                pointer.pointee.crpix[axis] = grid.referencePixel[axis]
                pointer.pointee.crval[axis] = grid.referenceValue[axis] / unit
                pointer.pointee.cdelt[axis] = 1
                pointer.pointee.pc[2 * axis] = grid.stepX[axis] / unit
                pointer.pointee.pc[2 * axis + 1] = grid.stepY[axis] / unit
                let type = prefix + (axis == 0 ? "LN-" : "LT-") + projection.code
                withUnsafeMutableBytes(of: &pointer.pointee.ctype[axis]) { $0.copyBytes(from: Array(type.utf8.prefix(8)) + [0]) }
            }
            if let pole = projection.longitudePole { pointer.pointee.lonpole = pole }
            if let pole = projection.latitudePole { pointer.pointee.latpole = pole }
            if let lambda = projection.lambda {
                pointer.pointee.npv = 1
                pointer.pointee.pv[0] = pvcard(i: 2, m: 1, value: lambda)
            }
            let outcome = wcsset(pointer)
            guard outcome == 0 else { throw Refusal(status: outcome) }
            // A projection that it does not know is a linear axis to wcslib.
            guard pointer.pointee.lng == 0, pointer.pointee.lat == 1 else { throw Refusal(status: 4) }
        }

        deinit {
            wcsfree(pointer)
            pointer.deallocate()
        }
    }
}
