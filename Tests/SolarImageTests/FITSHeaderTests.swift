import SolarImage
import Testing

@Suite struct FITSHeaderTests {
    @Test func looksUpByType() throws {
        let sharp = try Fixture.header("sharp")
        #expect(sharp.string("T_OBS") == "2012.03.07_08:23:56_TAI")
        #expect(sharp.real("CDELT1") == 0.03)
        #expect(sharp.real("DSUN_OBS") == 148505100614.12)
        #expect(sharp.integer("HARPNUM") == 1449)
        #expect(sharp.real("GWILL") == nil, "'nan' is no number")
        #expect(sharp.string("NOAA_ARS") == "11429,11430")
        #expect(sharp.real("ABSENT") == nil && sharp.string("HARPNUM") == nil && sharp.integer("CDELT1") == nil)
        let old = try Fixture.header("mdi-rebinned")
        #expect(old.integer("QUALITY") == 512, "hexadecimal text")
        #expect(old.string("BUNIT") == "Gauss")
    }

    @Test func toleratesNumbersStoredAsText() {
        let header = FITSHeader([
            FITSCard("A", .string(" 0.504 ")), FITSCard("B", .string("")), FITSCard("C", .string("nan")), FITSCard("D", .string("inf")),
            FITSCard("E", .string("12")),
            FITSCard("F", .real(3)), FITSCard("G", .string("0x80000000")), FITSCard("H", .string("1.5e2")),
        ])
        #expect(header.real("A") == 0.504)
        #expect(["B", "C", "D"].allSatisfy { header.real($0) == nil })
        #expect(header.integer("E") == 12 && header.integer("F") == 3 && header.integer("G") == 0x8000_0000)
        #expect(header.real("H") == 150)
        #expect(header.string("B") == nil)
    }

    @Test func editsInPlace() throws {
        var header = try Fixture.header("mdi")
        let keywords = header.cards.map(\.keyword)
        header.set("CDELT1", .real(0.5))
        header.set("SEED", .integer(7), comment: "random seed")
        #expect(header.cards.map(\.keyword) == keywords + ["SEED"])
        #expect(header.card("CDELT1")?.comment == "[arcsec/pix] WCS coordinate increment at refere")
        #expect(header.card("SEED")?.records == ["SEED    =                    7 / random seed"])
        header.remove("SEED")
        header.remove("SEED")
        #expect(header.cards.count == keywords.count)
    }

    @Test func breaksHistoryIntoLines() {
        var header = FITSHeader()
        header.addHistory(
            "Super-resolved by a factor of 4 with a latent diffusion model whose weights have the SHA-256 "
                + String(repeating: "0123456789abcdef", count: 5))
        header.addHistory("one\ntwo")
        header.addComment("short")
        #expect(
            header.cards.map(\.keyword) == ["HISTORY", "HISTORY", "HISTORY", "HISTORY", "HISTORY", "HISTORY", "COMMENT"].suffix(header.cards.count))
        #expect(header.cards.allSatisfy { $0.comment.count <= 72 && $0.records.allSatisfy { $0.count <= 80 } })
        let text = header.cards.map(\.comment).joined()
        #expect(text.contains("SHA-256") && text.contains("cdef"))
        #expect(header.cards.suffix(3).map(\.comment) == ["one", "two", "short"])
    }

    @Test func leavesOutStructureOnly() throws {
        let header = try Fixture.header("sharp-2025")
        let kept = header.withoutStructure()
        let gone = Set(header.cards.map(\.keyword)).subtracting(kept.cards.map(\.keyword))
        #expect(
            gone == [
                "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "TTYPE1", "ZIMAGE", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZCMPTYPE",
                "BSCALE", "BLANK",
                "HEADSUM", "CHECKSUM", "DATASUM",
            ])
        #expect(kept.string("LICENSE")?.hasSuffix("publicdomain/zero/1.0/") == true)
        let own = FITSHeader([FITSCard("ZDIST", .real(1)), FITSCard("TIME1", .real(2)), FITSCard("NAXIST", .real(3))])
        #expect(own.withoutStructure() == own)
    }

    @Test func recomputesStatistics() throws {
        let expected = try Fixture.expected.get().statistics
        var image = Fixture.pattern(24, 18)
        image[3, 2] = .nan
        image[20, 17] = .nan
        var header = FITSHeader([FITSCard("DATAMEDN", .real(9)), FITSCard("DATAMIN2", .real(9)), FITSCard("OTHER", .real(9))])
        for keyword in expected.keys { header.set(keyword, .real(-1)) }
        header.updateStatistics(of: image)
        for (keyword, value) in expected { #expect(near(header.real(keyword) ?? .nan, value), "\(keyword)") }
        #expect(!header.contains("DATAMEDN") && !header.contains("DATAMIN2") && header.real("OTHER") == 9)
        #expect(!header.contains("DATA_RMS"), "nothing is added")
        // Pixels that were never expected to have a value, as those off the disk, are not missing.
        for (keyword, value) in [("MISSVALS", 0), ("TOTVALS", 7)] { header.set(keyword, .integer(value)) }
        header.updateStatistics(of: image)
        #expect(header.integer("MISSVALS") == 0 && header.integer("TOTVALS") == 430)
        header.set("MISSVALS", .integer(3))
        header.updateStatistics(of: image)
        #expect(!header.contains("MISSVALS") && !header.contains("TOTVALS"), "of another image another number may be missing")
        header.updateStatistics(of: Image(width: 2, height: 2, repeating: .nan))
        #expect(header.card("DATAMEAN")?.value == .undefined && header.integer("DATAVALS") == 0)
    }

    @Test func takesOutStatistics() throws {
        let common: Set = ["DATAVALS", "MISSVALS", "DATAMIN", "DATAMAX", "DATAMEDN", "DATAMEAN", "DATARMS"]
        let fluxes: Set = ["TOT_FLUX", "AVG_FLUX", "MEAN_FLD", "DATASKEW", "DATAKURT"]
        let statistics: [(name: String, keywords: Set<String>)] = [
            ("sharp", common), ("mdi", common.union(fluxes)),
            ("mdi-rebinned", common.union(fluxes).subtracting(["DATARMS"]).union(["DATA_RMS", "NPIXFLUX"])),
            ("sharp-2025", common.subtracting(["DATAMIN", "DATAMAX"]).union(["_DATAMIN", "_DATAMAX"])),
        ]
        for (name, expected) in statistics {
            let header = try Fixture.header(name)
            var changed = header
            changed.removeStatistics()
            #expect(changed.cards == header.cards.filter { !expected.contains($0.keyword) }, "all others in their order")
            #expect(Set(header.cards.map(\.keyword)).isSuperset(of: expected), "\(name)")
        }
    }

    /// As fitsverify wants them; TIME-OBS beside a date alone goes on telling the time of day.
    @Test func datesBecomeStandard() {
        var header = FITSHeader([
            FITSCard("DATE-OBS", .string("2002/03/31"), comment: "day"), FITSCard("TIME-OBS", .string("17:36:01.41")),
            FITSCard("DATEOBS", .string("28-Jul-2009 17:41:00.00")), FITSCard("DATE_OBS", .string("2002-03-31T17:36:01.413Z")),
            FITSCard("DATE-BEG", .string("28-Jul-2009")), FITSCard("DATE_TAI", .string("2002.03.31_17:36:30_TAI")),
            FITSCard("DATE", .string("today")),
            FITSCard("DATE-END", .string("2002-03-31")), FITSCard("DATES", .integer(7)),
        ])
        header.standardizeDates()
        for (keyword, text) in [
            ("DATE-OBS", "2002-03-31"), ("TIME-OBS", "17:36:01.41"), ("DATEOBS", "2009-07-28T17:41:00.000"), ("DATE_OBS", "2002-03-31T17:36:01.413Z"),
            ("DATE-BEG", "2009-07-28"), ("DATE_TAI", "2002.03.31_17:36:30_TAI"), ("DATE", "today"), ("DATE-END", "2002-03-31"),
        ] { #expect(header.string(keyword) == text, "\(keyword)") }
        #expect(header.integer("DATES") == 7 && header.card("DATE-OBS")?.comment == "day")
        #expect(ObservationTime(header)?.description == "2002-03-31T17:36:01.410Z")
    }
}
