import Foundation
import Groundwork

extension PixelGrid {
    /// Reads where the pixels lie.
    ///
    /// Rotation is taken from `PCi_j`, else `CDi_j`, else `CROTA2`, else, in early MDI files, from `SOLAR_P0`, the angle to solar north clockwise as
    /// seen (JSOC: `CROTA2` = −`SOLAR_P`); those give `CRVALn` along the axes of the image. SOHO has flown upside down every other three months since
    /// 2003. Absent keywords mean: `CUNITn` arcsec on the sky (early MDI) and degrees in maps, `CRPIXn` and `CRVALn` 0, as FITS has it. A missing
    /// `CTYPE1` means the sky if `CUNIT1` is arcsec.
    ///
    /// - Parameter location: the file, for messages.
    /// - Throws: `Failure` (`.badData`) that names the keyword: no scale (`CDELTn` or `CDi_j`), a scale of zero, a matrix without inverse, a number that
    ///   is none (`'nan'`), matrix and `CDELTn` that contradict each other, unknown units, another projection than the two, a keyword of one axis that the
    ///   other lacks or that stands in small letters, a distortion.
    public init(checking header: FITSHeader, at location: String? = nil) throws {
        let keywords = GridKeywords(header: header, location: location)
        try keywords.checkLetters()
        projection = try keywords.projection()
        try keywords.checkAxes()
        try keywords.checkDistortion(projection)
        let units = try keywords.units(projection)
        let matrix = try keywords.matrix()
        (stepX, stepY) = (matrix.x * units, matrix.y * units)
        referencePixel = SIMD2(try keywords.position("CRPIX1"), try keywords.position("CRPIX2")) - 1
        let value = SIMD2(try keywords.number("CRVAL1") ?? 0, try keywords.number("CRVAL2") ?? 0)
        let roll = (try keywords.earlyRoll() ?? 0) * .pi / 180
        referenceValue = SIMD2(cos(roll) * value.x - sin(roll) * value.y, sin(roll) * value.x + cos(roll) * value.y) * units
        observerDistance = header.observerDistance
        solarRadius = header.solarRadius
        angularRadius = header.angularRadius
        guard determinant.isFinite, determinant != 0 else {
            throw keywords.failure("the pixels cover no area", "CDELT1, CDELT2, PCi_j, CDi_j", found: "a matrix without inverse")
        }
    }
}

extension FITSHeader {
    /// Whether it says anything of where the pixels lie, be it right or wrong, in capitals or not.
    package var hasGrid: Bool { cards.contains { GridKeywords.isOne($0.keyword) && $0.hasValue } }
}

extension FITSCard {
    /// Whether its value is anything but blanks.
    fileprivate var hasValue: Bool {
        if case .string(let text) = value { !text.allSatisfy(\.isWhitespace) } else { value != .undefined }
    }
}

/// The keywords of the linear part of the world coordinates, one by one.
struct GridKeywords {
    let header: FITSHeader
    let location: String?

    /// What each axis has of its own.
    private static let stems = ["CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT"]
    fileprivate static let all = Set(
        stems.flatMap { ["\($0)1", "\($0)2"] } + ["CROTA1", "CROTA2"] + ["PC", "CD"].flatMap { ["\($0)1_1", "\($0)1_2", "\($0)2_1", "\($0)2_2"] })

    /// Whether it is one of these, in capitals or not.
    fileprivate static func isOne(_ keyword: String) -> Bool {
        // They begin with C or P.
        guard let initial = keyword.utf8.first.map({ $0 | 0x20 }), initial == UInt8(ascii: "c") || initial == UInt8(ascii: "p") else { return false }
        return all.contains(keyword.utf8.contains { $0 > 0x5A } ? keyword.uppercased() : keyword)
    }

    private func hasValue(_ keyword: String) -> Bool { header.card(keyword)?.hasValue ?? false }

    /// Refuses keywords in small letters: to FITS they are none, so that some programs read them and others do not.
    func checkLetters() throws {
        for place in header.cards.indices where header.cards[place].hasSmallLetters {
            let keyword = header.cards[place].keyword
            guard Self.all.contains(keyword.uppercased()) else { continue }
            throw failure("a keyword stands in small letters", keyword, expected: keyword.uppercased(), found: keyword)
        }
    }

    /// Refuses what is said of one axis alone: what then holds for the other differs from program to program.
    func checkAxes() throws {
        for stem in Self.stems { try checkPair("\(stem)1", "\(stem)2") }
        for name in ["PC", "CD"] {
            try checkPair("\(name)1_1", "\(name)2_2", default: name == "PC" ? 1 : 0)
            try checkPair("\(name)1_2", "\(name)2_1", default: 0)
        }
        let hasMatrix = ["PC1_1", "PC1_2", "PC2_1", "PC2_2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"].contains(where: hasValue)
        if !hasMatrix, !hasValue("CROTA2"), let angle = try number("CROTA1"), angle != 0 {
            throw failure("the rotation is told of one axis alone", "CROTA2", expected: "an angle, as CROTA1 has it", found: "nothing")
        }
    }

    /// - Parameter default: a value that says no more than no keyword does.
    private func checkPair(_ first: String, _ second: String, default: Double? = nil) throws {
        guard hasValue(first) != hasValue(second) else { return }
        let (there, missing) = hasValue(first) ? (first, second) : (second, first)
        if let `default`, try number(there) == `default` { return }
        throw failure("a keyword of one axis is missing", missing, expected: "a value, as \(there) has it", found: "nothing")
    }

    /// Refuses distortions: SIP, look-up tables (`CPDISn`, `CQDISn`, `D2IM…`) and `PVi_m`, which make a polynomial of `TAN`. They are not read, so that all
    /// coordinates would be wrong.
    func checkDistortion(_ projection: PixelGrid.Projection) throws {
        for place in header.cards.indices where Self.isDistortion(header.cards[place].keyword) {
            let card = header.cards[place]
            guard card.hasValue, card.value != .integer(0), card.value != .real(0) else { continue }
            guard card.keyword != "PV2_1" || projection != .cylindricalEqualArea else { continue }
            throw failure(
                "distorted coordinates are not supported", card.keyword, expected: "coordinates without distortion", found: card.value.text,
                remedy: "resample the image to a grid without distortion")
        }
    }

    static func isDistortion(_ keyword: String) -> Bool {
        switch keyword.utf8.first {
        case UInt8(ascii: "A"), UInt8(ascii: "B"):
            guard let stem = ["A_", "B_", "AP_", "BP_"].first(where: keyword.hasPrefix) else { return keyword.hasPrefix("AXISCORR") }
            let rest = keyword.dropFirst(stem.count)
            return rest == "ORDER" || (rest.contains("_") && rest.allSatisfy { $0 == "_" || $0.isNumber })
        case UInt8(ascii: "C"): return keyword.hasPrefix("CPDIS") || keyword.hasPrefix("CQDIS")
        case UInt8(ascii: "D"): return keyword.hasPrefix("D2IM") || ["DP1", "DP2", "DQ1", "DQ2"].contains(keyword)
        case UInt8(ascii: "P"): return keyword.hasPrefix("PV1_") || keyword.hasPrefix("PV2_")
        default: return false
        }
    }

    /// A number; nil if the keyword is absent or has no value.
    /// - Throws: `Failure` if the value is no finite number.
    func number(_ keyword: String) throws -> Double? {
        guard let card = header.card(keyword) else { return nil }
        if let number = header.real(keyword) { return number }
        switch card.value {
        case .undefined: return nil
        case .string(let text):
            guard header.string(keyword) != nil else { return nil }
            throw failure("\(keyword) is not a number", keyword, expected: "a finite number", found: "'\(text)'")
        default: throw failure("\(keyword) is not a number", keyword, expected: "a finite number", found: "\(card.value)")
        }
    }

    /// `CRPIXn`: 0 if absent, as FITS has it. Without a value it is an error: it would shift the image by half its width.
    func position(_ keyword: String) throws -> Double {
        if let number = try number(keyword) { return number }
        guard !header.contains(keyword) else { throw failure("\(keyword) has no value", keyword, expected: "a pixel coordinate", found: "nothing") }
        return 0
    }

    func projection() throws -> PixelGrid.Projection {
        let types = ["CTYPE1", "CTYPE2"].map { (header.string($0) ?? "").uppercased() }
        let arcsec = header.string("CUNIT1")?.lowercased().hasPrefix("arcsec") == true
        let projection: PixelGrid.Projection
        let partner: Bool
        if types[0] == "CRLN-CEA" || types[0] == "HGLN-CEA" {
            projection = .cylindricalEqualArea
            partner = types[1] == types[0].prefix(2) + "LT-CEA"
        } else if types[0].hasPrefix("HPLN") || types[0].hasPrefix("SOLAR") || (types[0].isEmpty && arcsec) {
            projection = .helioprojective
            partner = types[1].hasPrefix("HPLT") || types[1].hasPrefix("SOLAR")
        } else {
            throw failure(
                types[0].isEmpty ? "the header has no world coordinates" : "these world coordinates are not supported", "CTYPE1",
                expected: "HPLN-TAN, solar-x, CRLN-CEA or HGLN-CEA", found: types[0].isEmpty ? "nothing" : types[0],
                remedy: "give the file as the archive has it")
        }
        guard partner || types[1].isEmpty else {
            throw failure("the two axes contradict each other", "CTYPE2", expected: "the latitude to \(types[0])", found: types[1])
        }
        return projection
    }

    /// Factors from `CUNITn` to arcsec or degrees.
    func units(_ projection: PixelGrid.Projection) throws -> SIMD2<Double> {
        var factors = SIMD2<Double>(1, 1)
        let toDegrees: [String: Double] = ["deg": 1, "arcmin": 1 / 60, "arcsec": 1 / 3600, "mas": 1 / 3.6e6, "rad": 180 / Double.pi]
        for axis in 0...1 {
            guard let unit = header.string("CUNIT\(axis + 1)") else { continue }
            guard let degrees = toDegrees.first(where: { unit.lowercased().hasPrefix($0.key) })?.value else {
                throw failure("the unit is unknown", "CUNIT\(axis + 1)", expected: "deg, arcmin, arcsec, mas or rad", found: unit)
            }
            factors[axis] = projection == .helioprojective ? degrees * 3600 : degrees
        }
        return factors
    }

    /// The matrix from pixels to intermediate world coordinates, by columns.
    func matrix() throws -> (x: SIMD2<Double>, y: SIMD2<Double>) {
        let increments = (try number("CDELT1"), try number("CDELT2"))
        let scale = increments.0.flatMap { x in increments.1.map { SIMD2(x, $0) } }
        let rotation = try elements("PC", diagonal: 1), full = try elements("CD", diagonal: 0)
        if let scale, rotation != nil || full == nil {
            for axis in 0...1 where scale[axis] == 0 { throw failure("the scale is zero", "CDELT\(axis + 1)", found: "0") }
        }
        if let scale, let rotation {
            // Where CDELTn says what a pixel measures, PCi_j can but rotate; CDELTn of 1 leaves everything to PCi_j.
            guard scale == SIMD2(1, 1) || abs(abs(determinant(rotation)) - 1) < 0.01 else {
                throw failure(
                    "CDELTn and PCi_j contradict each other", "CDELT1, PC1_1", expected: "a PCi_j matrix that rotates",
                    found: "one with the determinant \(determinant(rotation))")
            }
            let product = (x: rotation.x * scale, y: rotation.y * scale)
            if let full, !near(product, full) {
                throw failure("PCi_j with CDELTn and CDi_j contradict each other", "PC1_1, CD1_1", found: "two different matrices")
            }
            return product
        }
        if let full {
            let area = abs(determinant(full))
            guard let scale, scale != SIMD2(1, 1), scale.x * scale.y != 0 else { return full }
            guard abs(abs(scale.x * scale.y) - area) < 0.01 * area else {
                throw failure(
                    "CDELTn and CDi_j contradict each other", "CDELT1, CD1_1", expected: "pixels of the area \(area)",
                    found: "\(abs(scale.x * scale.y))")
            }
            return full
        }
        guard let scale else {
            throw failure("the header does not say how large a pixel is", "CDELT1", expected: "a scale (CDELTn or CDi_j)", found: "nothing")
        }
        let angle = (try number("CROTA2") ?? earlyRoll() ?? 0) * .pi / 180
        return (SIMD2(cos(angle) * scale.x, sin(angle) * scale.x), SIMD2(-sin(angle) * scale.y, cos(angle) * scale.y))
    }

    /// What `CROTA2` would be, in degrees, in MDI files made before they had it; nil in others.
    func earlyRoll() throws -> Double? {
        let modern = ["CROTA2", "PC1_1", "PC1_2", "PC2_1", "PC2_2", "CD1_1", "CD1_2", "CD2_1", "CD2_2"].contains { header.contains($0) }
        guard !modern, (header.string("CTYPE1") ?? "").uppercased().hasPrefix("SOLAR"), let keyword = Instrument(header: header).rollKeyword
        else { return nil }
        return try number(keyword).map { -$0 }
    }

    private func elements(_ name: String, diagonal: Double) throws -> (x: SIMD2<Double>, y: SIMD2<Double>)? {
        let values = try ["1_1", "2_1", "1_2", "2_2"].map { try number(name + $0) }
        guard values.contains(where: { $0 != nil }) else { return nil }
        return (SIMD2(values[0] ?? diagonal, values[1] ?? 0), SIMD2(values[2] ?? 0, values[3] ?? diagonal))
    }

    private func determinant(_ matrix: (x: SIMD2<Double>, y: SIMD2<Double>)) -> Double { matrix.x.x * matrix.y.y - matrix.x.y * matrix.y.x }

    private func near(_ a: (x: SIMD2<Double>, y: SIMD2<Double>), _ b: (x: SIMD2<Double>, y: SIMD2<Double>)) -> Bool {
        let difference = (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)
        return difference.sum() < 1e-6 * abs(determinant(b))
    }

    func failure(_ problem: String, _ keyword: String, expected: String? = nil, found: String, remedy: String = "correct the header") -> Failure {
        Failure(.badData, problem, at: location.map { "\($0), \(keyword)" } ?? keyword, expected: expected, found: found, remedy: remedy)
    }
}
