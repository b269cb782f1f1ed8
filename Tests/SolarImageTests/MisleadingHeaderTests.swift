import Foundation
import Groundwork
import SolarImage
import Testing

/// Headers that programs read differently, or that say nothing of use.
@Suite struct MisleadingHeaderTests {
    /// A sound header of MDI: a grid in arcsec with `CDELTn` and `CROTA2`.
    private static let sound = FITSHeader(FITSCard.cards(from: RawFITS.described + ["CROTA2  =                 0.0"]))

    private func with(_ keyword: String, _ value: FITSCard.Value) -> FITSHeader {
        var header = Self.sound
        header.set(keyword, value)
        return header
    }

    private func without(_ keywords: String...) -> FITSHeader {
        FITSHeader(Self.sound.cards.filter { !keywords.contains($0.keyword) })
    }

    private func read(_ header: FITSHeader, _ image: Image = Fixture.pattern(8, 8)) throws -> Magnetogram {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            try FITSWriter.write(image, header: header, to: url)
            return try Magnetogram(reading: url)
        }
    }

    // MARK: Repeated keywords

    @Test func whatIsSaidTwiceStandsOnce() throws {
        var header = Self.sound
        for card in [
            FITSCard("CRPIX1", .real(4.5), comment: "again"), FITSCard("CRVAL1", .real(10)), FITSCard("BUNIT", .string("Gauss")),
            FITSCard("OBJECT", .string("a")), FITSCard("OBJECT", .string("b")),
        ] { header.append(card) }
        for text in ["one", "one"] {
            header.addHistory(text)
            header.addComment(text)
        }
        let map = try read(header)
        #expect(
            Set(map.header.cards.filter { !["HISTORY", "COMMENT", ""].contains($0.keyword) }.map(\.keyword)).count
                == map.header.cards.count { !["HISTORY", "COMMENT", ""].contains($0.keyword) })
        #expect(map.header.string("OBJECT") == "a" && map.header.card("CRPIX1")?.comment == "")
        #expect(map.header.cards.filter { $0.comment == "one" }.map(\.keyword) == ["HISTORY", "COMMENT", "HISTORY", "COMMENT"])
        #expect(map.grid == PixelGrid(Self.sound))
    }

    @Test(arguments: [
        ("CRPIX1", FITSCard.Value.real(10.5), "4.5 and 10.5"), ("CROTA2", .real(180), "0.0 and 180.0"), ("CDELT2", .real(0.5), "1.98 and 0.5"),
        ("CTYPE1", .string("CRLN-CEA"), "'HPLN-TAN' and 'CRLN-CEA'"), ("BUNIT", .string("kGauss"), "'Gauss' and 'kGauss'"),
        ("TELESCOP", .string("SDO/HMI"), "'SOHO' and 'SDO/HMI'"), ("CUNIT1", .string("deg"), "'arcsec' and 'deg'"),
    ])
    func contradictionsAreRefused(_ keyword: String, _ value: FITSCard.Value, _ found: String) throws {
        var header = Self.sound
        header.append(FITSCard(keyword, value))
        expectFailure(.badData, "contradictory keywords", "HDU 0, \(keyword)", found) { _ = try read(header) }
    }

    @Test(arguments: ["PC1_1", "CD2_1", "PV2_1", "A_2_0", "T_OBS", "DATE-OBS", "MJD-OBS", "TIMESYS", "DSUN_OBS", "CRLN_OBS", "QUALITY", "CRPIX2A"])
    func soAreThoseOfOtherKeywordsThatCount(_ keyword: String) throws {
        let header = FITSHeader([FITSCard(keyword, .real(1)), FITSCard(keyword, .real(2))])
        expectFailure(.badData, "contradictory keywords", "x.fits, \(keyword)") { _ = try header.withoutRepetition(at: "x.fits") }
        let same = FITSHeader([FITSCard(keyword, .real(2)), FITSCard(keyword, .integer(2))])
        #expect(try same.withoutRepetition(at: "x.fits").cards == [FITSCard(keyword, .real(2))])
    }

    // MARK: Grids that are none

    @Test(arguments: [
        ("CUNIT2", FITSCard.Value.string("Sine Latitude"), "CUNIT2"), ("CUNIT1", .string("furlong"), "CUNIT1"),
        ("CTYPE1", .string("LINEAR"), "CTYPE1"),
        ("CTYPE1", .string("CARRLONG"), "CTYPE1"), ("CTYPE1", .string("HGLN-TAN"), "CTYPE1"), ("CTYPE2", .string("HGLT-CEA"), "CTYPE2"),
        ("CTYPE1", .string("HPLN-XYZ"), "CTYPE1"), ("CROTA2", .string("nan"), "CROTA2"), ("CDELT1", .real(0), "CDELT1"),
        ("CRPIX1", .string("nan"), "CRPIX1"),
    ])
    func gridsOfNoUseAreRefused(_ keyword: String, _ value: FITSCard.Value, _ named: String) {
        expectFailure(.badData, "x.fits, \(named)") { _ = try read(with(keyword, value)) }
    }

    @Test func matricesThatContradictAreRefused() {
        for (name, value) in [("CD", 0.5), ("PC", 0.25)] {
            var header = Self.sound
            for keyword in ["\(name)1_1", "\(name)2_2"] { header.set(keyword, .real(value)) }
            expectFailure(.badData, "contradict", "CDELT1, \(name)1_1") { _ = try read(header) }
        }
    }

    @Test func whatTellsNothingIsTakenAsItIs() throws {
        let bare = FITSHeader(Self.sound.cards.filter { !$0.keyword.hasPrefix("C") })
        #expect(!bare.hasGrid)
        let map = try read(bare)
        #expect(map.grid == nil && map.instrument == .mdi)
        var empty = bare
        for keyword in ["CTYPE1", "CUNIT1", "CUNIT2"] { empty.set(keyword, .string(" ")) }
        empty.set("CRPIX1", .undefined)
        #expect(try read(empty).grid == nil, "keywords without values say nothing")
    }

    // MARK: One axis alone

    @Test(arguments: ["CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT"]) func eachAxisNeedsItsKeywords(_ stem: String) {
        for axis in ["1", "2"] {
            expectFailure(.badData, "x.fits, \(stem)\(axis)") { _ = try read(without(stem + axis)) }
            expectFailure(.badData, "x.fits, \(stem)\(axis)") { _ = try read(with(stem + axis, .undefined)) }
        }
    }

    @Test func halfAMatrixIsNone() {
        expectFailure(.badData, "x.fits, PC2_1") { _ = try read(with("PC1_2", .real(0.1))) }
        expectFailure(.badData, "x.fits, CD2_2") { _ = try read(with("CD1_1", .real(1.98))) }
        expectFailure(.badData, "x.fits, CROTA2") {
            var header = without("CROTA2")
            header.set("CROTA1", .real(12))
            _ = try read(header)
        }
        #expect(throws: Never.self) { try read(with("PC1_2", .real(0))) }
        #expect(throws: Never.self) { try read(with("CROTA1", .real(12))) }
    }

    @Test(arguments: ["cdelt2", "Crpix1", "ctype1"]) func smallLettersMakeNoKeyword(_ keyword: String) throws {
        let name = keyword.uppercased()
        let records = RawFITS.described.map { $0.hasPrefix(name) ? keyword + $0.dropFirst(6) : $0 }
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            var file = RawFITS()
            file.add(records, side: 8)
            try file.write(to: url)
            expectFailure(.badData, "small letters", "x.fits, \(keyword)", "expected \(name)") { _ = try Magnetogram(reading: url) }
        }
    }

    // MARK: Distortions

    @Test(arguments: [
        ("A_2_0", FITSCard.Value.real(1e-3)), ("B_0_2", .real(-1e-3)), ("A_ORDER", .integer(2)), ("AP_1_1", .real(1e-9)),
        ("CPDIS1", .string("LOOKUP")),
        ("CQDIS2", .string("POLYNOMIAL")), ("DQ1", .string("EXTVER: 1")), ("D2IMDIS1", .string("Lookup")), ("PV1_1", .real(0.1)), ("PV2_1", .real(1)),
    ])
    func distortionsAreRefused(_ keyword: String, _ value: FITSCard.Value) {
        expectFailure(.badData, "distorted", "x.fits, \(keyword)") { _ = try read(with(keyword, value)) }
    }

    @Test func noDistortionIsNone() throws {
        var header = Self.sound
        for (keyword, value) in [("A_ORDER", FITSCard.Value.integer(0)), ("A_2_0", .real(0)), ("CPDIS1", .string(" ")), ("A_FIELD", .real(3))] {
            header.set(keyword, value)
        }
        #expect(try read(header).grid == PixelGrid(Self.sound))
        let map = try Fixture.header("sharp")
        var mapped = map
        mapped.set("PV2_1", .real(1))
        #expect(PixelGrid(mapped) == PixelGrid(map), "λ of an equal-area map")
    }

    // MARK: Keywords in the primary unit

    private func read(_ units: [(cards: [String], side: Int)]) throws -> Magnetogram {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            var file = RawFITS()
            for unit in units { file.add(unit.cards, side: unit.side) }
            try file.write(to: url)
            return try Magnetogram(reading: url)
        }
    }

    @Test func extensionsInheritFromThePrimaryUnit() throws {
        for own in [["INHERIT =                    T", "EXTNAME = 'DATA    '"], ["EXTNAME = 'DATA    '"]] {
            let map = try read([(RawFITS.described, 0), (own, 8)])
            #expect(map.instrument == .mdi && map.hdu == 1 && map.image.width == 8)
            #expect(map.grid == PixelGrid(Self.sound) && map.header.string("EXTNAME") == "DATA")
            #expect(map.header.cards.contains { $0.keyword == "HISTORY" && $0.comment.contains("primary unit") })
            #expect(map.header.cards.count { $0.keyword == "NAXIS" } == 1 && map.header.integer("NAXIS") == 2)
        }
        // What the extension says counts.
        let other = try read([
            (RawFITS.described, 0), (["INHERIT =                    T", "CRVAL1  =                 -50", "BUNIT   = 'kG      '"], 8),
        ])
        #expect(other.grid?.referenceValue == SIMD2(-50, 20) && other.image[0, 0] == 1000 && other.header.cards.count { $0.keyword == "BUNIT" } == 1)
    }

    @Test func othersDoNot() throws {
        for own in [["INHERIT =                    F"], ["INSTRUME= 'HMI_SIDE1'"], RawFITS.described.filter { $0.hasPrefix("C") }] {
            let map = try read([(RawFITS.described, 0), (own, 8)])
            #expect(!map.header.contains("TELESCOP"), "\(own)")
        }
        // The primary unit has pixels of its own, whose keywords these are.
        let map = try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("x.fits")
            try FITSWriter.write(Fixture.pattern(4, 4), header: Self.sound, extensions: [("LR", Fixture.pattern(2, 2), FITSHeader())], to: url)
            return try FITSFile(reading: url).image(named: "LR")
        }
        #expect(map?.header.contains("TELESCOP") == false)
    }

    // MARK: Values that are no field

    @Test(arguments: [-32768, 65535, 32767, 1e15, -1e30] as [Float]) func fillsAreNoField(_ fill: Float) {
        var image = Fixture.pattern(8, 8)
        (image[3, 1], image[0, 2]) = (fill, .nan)
        expectFailure(.badData, "no solar magnetic field", "x.fits, HDU 0", "column 3, row 1", "1 such") { _ = try read(Self.sound, image) }
    }

    @Test func strongFieldsAreFields() throws {
        var image = Fixture.pattern(8, 8)
        (image[3, 1], image[4, 1]) = (-11_500, 14_000)  // 8.2 kG as MDI would read it, and beyond
        #expect(try read(Self.sound, image).image == image)
        var kilogauss = image
        kilogauss.pixels = image.pixels.map { $0 / 1000 }
        var header = Self.sound
        header.set("BUNIT", .string("kG"))
        #expect(try read(header, kilogauss).image[4, 1] == 14_000)
        kilogauss[0, 0] = 33
        expectFailure(.badData, "no solar magnetic field", "33000") { _ = try read(header, kilogauss) }
    }

    // MARK: Instruments

    @Test(arguments: [
        ("TELESCOP", "SOHO MDI", Instrument.mdi), ("INSTRUME", "SOI-MDI", .mdi), ("TELESCOP", "SOHO-MDI", .mdi), ("TELESCOP", "soho/mdi", .mdi),
        ("INSTRUME", "Michelson Doppler Imager", .mdi), ("INSTRUME", "SOHO Michelson Doppler Imager (MDI)", .mdi), ("INSTRUME", "SOI_MDI", .mdi),
        ("TELESCOP", "SDO HMI", .hmi), ("INSTRUME", "HMI_SIDE1", .hmi), ("INSTRUME", "Helioseismic and Magnetic Imager", .hmi),
        ("TELESCOP", "SDO-HMI", .hmi),
        ("TELESCOP", "SOHO", .unknown), ("INSTRUME", "EIT", .unknown), ("INSTRUME", "AMDI", .unknown), ("TELESCOP", "SDO/AIA", .unknown),
    ])
    func instrumentsAreKnownHoweverTheyAreSpelt(_ keyword: String, _ text: String, _ instrument: Instrument) {
        #expect(Instrument(header: FITSHeader([FITSCard(keyword, .string(text))])) == instrument)
    }
}

/// Times by whole headers, against astropy: `Scripts/make-time-fixtures.py`.
@Suite struct HeaderTimeTests {
    private struct Row: Decodable {
        var header: [String: Expected.Value], taiSeconds: Double?
    }

    @Test func agreesWithAstropy() throws {
        let rows = try JSONDecoder().decode([Row].self, from: Data(contentsOf: Fixture.url("times-of-headers.json")))
        #expect(rows.count > 40)
        for row in rows {
            var header = FITSHeader()
            for (keyword, value) in row.header {
                switch value {
                case .number(let number): header.set(keyword, .real(number))
                case .text(let text): header.set(keyword, .string(text))
                }
            }
            let time = ObservationTime(header)
            // Barycentric time is off by up to 2 ms; a modified Julian date is told to 0.6 µs.
            let tolerance = row.header["TIMESYS"].map { if case .text("TDB") = $0 { 2e-3 } else { 1e-5 } } ?? 1e-5
            #expect((time == nil) == (row.taiSeconds == nil), "\(row)")
            if let time, let expected = row.taiSeconds { #expect(abs(time.taiSeconds - expected) < tolerance, "\(row): \(time)") }
        }
    }

    @Test func theNameStandsInForTheHeader() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("mdi_20010329_124802.fits")
            for (date, expected) in [("2001-03-29", "2001.03.29_12:48:02_TAI"), ("2001-03-29T10:00:00", "2001-03-29T10:00:00")] {
                let header = FITSHeader([FITSCard("DATE-OBS", .string(date))])
                try FITSWriter.write(Fixture.pattern(4, 4), header: header, to: url, overwrite: true)
                #expect(try Magnetogram(reading: url).time == ObservationTime(expected))
            }
        }
    }
}
