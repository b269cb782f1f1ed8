import SolarImage
import Testing

@Suite struct InstrumentTests {
    @Test(arguments: [("sharp", Instrument.hmi), ("sharp-2025", .hmi), ("mdi", .mdi), ("smarp", .mdi), ("mdi-rebinned", .mdi)])
    func recognisesRealHeaders(_ name: String, _ instrument: Instrument) throws {
        #expect(Instrument(header: try Fixture.header(name)) == instrument)
    }

    @Test func doesNotGuess() {
        #expect(Instrument(header: FITSHeader()) == .unknown)
        #expect(Instrument(header: FITSHeader([FITSCard("TELESCOP", .string("150 ft"))])) == .unknown)
        #expect(Instrument(header: FITSHeader([FITSCard("TELESCOP", .string("SDO/AIA")), FITSCard("CAMERA", .integer(1))])) == .unknown)
    }

    @Test func fileNamesStandInForKeywords() {
        for (name, instrument) in [
            ("hmi_M-720s_20110402_204800_AR11183.fits", Instrument.hmi), ("mdi.fd_M_96m_lev182.20101015_000000_TAI.data.fits", .mdi),
            ("HMI.fits", .hmi), ("mdisk.fits", .unknown), ("low_mdi.fits", .unknown),
        ] { #expect(Instrument(header: FITSHeader(), fileName: name) == instrument, "\(name)") }
        let mdi = FITSHeader([FITSCard("CAMERA", .string("MDI"))]), other = FITSHeader([FITSCard("TELESCOP", .string("150 ft"))])
        #expect(Instrument(header: mdi, fileName: "hmi.fits") == .mdi && Instrument(header: other, fileName: "hmi.fits") == .unknown)
    }

    @Test func readsQuality() throws {
        #expect(try Fixture.header("mdi-rebinned").quality == 0x200)
        #expect(try Fixture.header("sharp").quality == 66560)
        #expect(FITSHeader([FITSCard("QUALITY", .integer(-2_147_483_648))]).quality == 0x8000_0000, "JSOC writes a signed word")
        #expect(FITSHeader().quality == nil)
        #expect(Instrument.mdi.unfitQualityBits & 0x200 == 0)
        #expect(Instrument.mdi.unfitQualityBits == 0x8000_0CFA)
        #expect(Instrument.hmi.unfitQualityBits == 0x8000_0000)
    }

    @Test func prefersTheTrueDistance() throws {
        let old = try Fixture.header("mdi-rebinned")
        #expect(near(try #require(old.observerDistance), 0.9743059749992 * 149_597_870_691))
        #expect(old.angularRadius == 984.9524058882999)
        var header = try Fixture.header("mdi")
        #expect(header.observerDistance == 147937426993.65381)
        let stated = try #require(header.angularRadius)
        header.remove("RSUN_OBS")
        #expect(near(try #require(header.angularRadius), stated, 1e-5))
    }

    @Test(arguments: [
        ("hmi_sharp-cea-720s_20120306_142400_HARP1447_los.fits", [Region.harp(1447)]),
        ("mdi_smarp-cea-96m_20100714_124800_TARP13520.fits", [.tarp(13520)]),
        ("hmi_M-720s_20110402_204800_AR11183.fits", [.noaa(11183)]), ("hmi.sharp_cea_720s.1447.20120306_142400_TAI.magnetogram.fits", [.harp(1447)]),
        ("mdi.smarp_cea_96m.13520.20100714_124800_TAI.magnetogram.fits", [.tarp(13520)]),
        ("hmi_sharp-720s_20150623_000000_HARP5692.fits", [.harp(5692)]),
        ("NOAA_AR12192.fits", [.noaa(12192)]), ("mdi_fd-M-96m-lev182_20101015_000000.fits", []), ("solar2014.fits", []), ("map12345.fits", []),
    ])
    func readsRegionsFromFileNames(_ name: String, _ regions: [Region]) {
        #expect(Region.regions(header: FITSHeader(), fileName: name) == regions)
    }

    @Test func readsRegionsFromHeaders() throws {
        #expect(Region.regions(header: try Fixture.header("sharp"), fileName: "x_HARP1449.fits") == [.harp(1449), .noaa(11429), .noaa(11430)])
        #expect(Region.regions(header: try Fixture.header("smarp"), fileName: "") == [.tarp(13520), .noaa(11087)])
        let none = FITSHeader([FITSCard("HARPNUM", .integer(1441)), FITSCard("NOAA_AR", .integer(0)), FITSCard("NOAA_ARS", .string(""))])
        #expect(Region.regions(header: none, fileName: "").map(\.description) == ["HARP 1441"])
    }
}

@Suite struct ObservationTimeTests {
    @Test func agreesWithAstropy() throws {
        for expected in try Fixture.expected.get().times {
            let time = try #require(ObservationTime(expected.text), "\(expected.text)")
            #expect(abs(time.taiSeconds - expected.taiSeconds) < 1e-5, "\(expected.text)")
            #expect(time.description == expected.utc)
        }
    }

    @Test func readsFileNames() throws {
        #expect(ObservationTime("20110402_204800_TAI") == ObservationTime("2011.04.02_20:48:00_TAI"))
        #expect(ObservationTime("2011-04-02T20:48")?.description == "2011-04-02T20:48:00.000Z")
        let date = try #require(ObservationTime("2012.03.01_00:00:10_TAI")).date
        #expect(date == (2012, 2, 29), "still February in UTC")
    }

    @Test(arguments: [
        "", "MISSING", "nan", "-4712.01.01_11:59:28_TAI", "1601-01-01T00:00:00", "2012.13.01_00:00:00_TAI", "2011-02-29T00:00:00", "2012-03-07",
        "12-11-99", "2012.03.07_25:00:00_TAI",
    ])
    func refuses(_ text: String) {
        #expect(ObservationTime(text) == nil)
    }
}
