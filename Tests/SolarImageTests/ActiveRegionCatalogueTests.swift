import Foundation
import Groundwork
import SolarImage
import Testing

@Suite struct ActiveRegionCatalogueTests {
    /// Rows of a real table, written by `Scripts/make-registration-fixtures.py`: seven days, CRLF, a longitude printed as `W0*`.
    private static let table = Fixture.url("regions.csv")

    private func catalogue(_ text: String, name: String = "regions.csv") throws -> ActiveRegionCatalogue {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent(name)
            try text.write(to: url, atomically: true, encoding: .utf8)
            return try ActiveRegionCatalogue(reading: [url])
        }
    }

    private func time(_ text: String) throws -> ObservationTime { try #require(ObservationTime(text)) }

    @Test func readsARealTable() throws {
        let catalogue = try ActiveRegionCatalogue(reading: [Self.table])
        let midnight = try time("2010-10-15T00:00Z")
        #expect(
            catalogue.positions.filter { $0.time == midnight } == [
                ActiveRegionPosition(time: midnight, number: 11112, latitude: -18, longitude: 0, area: 20, spotCount: 2),
                ActiveRegionPosition(time: midnight, number: 11113, latitude: 17, longitude: -63, area: 100, spotCount: 1),
                ActiveRegionPosition(time: midnight, number: 11114, latitude: -22, longitude: 41, area: 0, spotCount: 1),
            ])
        let other = try time("1999-12-11T00:00Z")
        let active = catalogue.positions.filter { $0.time == other }
        #expect(active.map(\.number) == [8785, 8787, 8788, 8790, 8791, 8792, 8793, 8794, 8795])
        #expect(active[2] == ActiveRegionPosition(time: other, number: 8788, latitude: 11, longitude: 23, area: 460, spotCount: 12))
        #expect(active[3] == ActiveRegionPosition(time: other, number: 8790, latitude: 12, longitude: 7, area: 90, spotCount: 14))
        #expect(active[3].region == .noaa(8790))
        #expect(zip(catalogue.positions, catalogue.positions.dropFirst()).allSatisfy { ($0.time, $0.number) < ($1.time, $1.number) })
        // The day on which region 10000 first stands in the table.
        let turn = try time("2002-06-15T00:00Z")
        #expect(catalogue.positions.filter { $0.time == turn && $0.number > 9996 }.map(\.number) == [9997, 9998, 9999, 10000, 10001])
    }

    @Test func tellsWhatItLeavesOut() throws {
        let catalogue = try ActiveRegionCatalogue(reading: [Self.table])
        let lines = try String(contentsOf: Self.table, encoding: .utf8).split(whereSeparator: \.isNewline)
        let starred = lines.indices.filter { lines[$0].contains("*") }
        #expect(!starred.isEmpty && catalogue.positions.count + starred.count == lines.count - 1)
        #expect(catalogue.warnings.count == starred.count)
        for (warning, index) in zip(catalogue.warnings, starred) {
            #expect(warning.category == .badData && warning.location == "\(Self.table.path), line \(index + 1)")
            #expect(warning.found?.hasSuffix("W0*") == true)
        }
    }

    @Test func readsRealSummaries() throws {
        let urls = ["19960513SRS.txt", "19960106SRS.txt"].map(Fixture.url)
        let catalogue = try ActiveRegionCatalogue(reading: urls)
        #expect(catalogue.warnings.isEmpty)
        // Valid at 05/2400Z, issued on the 6th; later the same of the 12th and 13th of May.
        let (january, may) = (try time("1996-01-06T00:00Z"), try time("1996-05-13T00:00Z"))
        #expect(
            catalogue.positions == [
                ActiveRegionPosition(time: january, number: 7935, latitude: 11, longitude: 54, area: 0, spotCount: 0),
                ActiveRegionPosition(time: january, number: 7937, latitude: -8, longitude: 4, area: 0, spotCount: 0),
                ActiveRegionPosition(time: january, number: 7938, latitude: 12, longitude: 41, area: 270, spotCount: 26),
                ActiveRegionPosition(time: january, number: 7939, latitude: 3, longitude: 8, area: 140, spotCount: 23),
                ActiveRegionPosition(time: may, number: 7961, latitude: 16, longitude: 78, area: 0, spotCount: 0),
                ActiveRegionPosition(time: may, number: 7962, latitude: -7, longitude: 1, area: 110, spotCount: 13),
                ActiveRegionPosition(time: may, number: 7963, latitude: 25, longitude: -13, area: 0, spotCount: 0),
                ActiveRegionPosition(time: may, number: 7964, latitude: -6, longitude: -14, area: 0, spotCount: 2),
            ])
    }

    /// The layout of recent summaries, over the turn of a year, with short numbers, a bad row and regions due to return.
    @Test func readsARecentSummary() throws {
        let text = """
            :Product: 0101SRS.txt
            :Issued: 2012 Jan 01 0030 UTC
            # Prepared jointly by the U.S. Dept. of Commerce, NOAA,
            Joint USAF/NOAA Solar Region Summary
            SRS Number 1 Issued at 0030Z on 01 Jan 2012
            Report compiled from data received at SWO on 31 Dec
            I.  Regions with Sunspots.  Locations Valid at 31/2400Z
            Nmbr Location  Lo  Area  Z   LL   NN Mag Type
            1386 S17E12    309 0110 Dso  11   07 Beta
            1387 S21Wxx    326 0080 Dao  06   05 Beta-Gamma
            1388 S22W40
            IA. H-alpha Plages without Spots.  Locations Valid at 30/2200Z Dec
            Nmbr  Location  Lo
            1384  N13W64   025
            II. Regions Due to Return 01 Jan to 03 Jan
            Nmbr Lat    Lo
            1374 S17    218
            """
        let catalogue = try catalogue(text, name: "20120101SRS.txt")
        #expect(
            catalogue.positions == [
                ActiveRegionPosition(time: try time("2011-12-30T22:00Z"), number: 11384, latitude: 13, longitude: 64, area: 0, spotCount: 0),
                ActiveRegionPosition(time: try time("2012-01-01T00:00Z"), number: 11386, latitude: -17, longitude: -12, area: 110, spotCount: 7),
                ActiveRegionPosition(time: try time("2012-01-01T00:00Z"), number: 11388, latitude: -22, longitude: 40),
            ])
        #expect(catalogue.warnings.count == 1 && catalogue.warnings[0].location?.hasSuffix("SRS.txt, line 10") == true)
        // Two summaries in a file, the second with nothing in it.
        let empty =
            ":Issued: 2012 Jan 02 0030 UTC\nJoint USAF/NOAA Solar Region Summary\nI. Regions with Sunspots. Locations Valid at 01/2400Z\nNone\n"
        #expect(try self.catalogue(text + "\n" + empty, name: "SRS.txt").positions == catalogue.positions)
        expectFailure(.badData, "SRS.txt", "date of issue") {
            _ = try self.catalogue("JOINT USAF/NOAA SOLAR REGION SUMMARY\nI. REGIONS WITH SUNSPOTS.\n7938  N12W41\n", name: "SRS.txt")
        }
        let undated = try self.catalogue(text.replacing("Valid at 31/2400Z", with: "Valid at 31"), name: "SRS.txt")
        #expect(undated.positions.map(\.number) == [11384])
        #expect(undated.warnings.map(\.problem) == ["the part is left out"])
    }

    @Test func readsQuotedFieldsInAnyOrder() throws {
        let text = #"""
            \#u{FEFF}Location, NOAA_region ,remark,"date"\#r
            N12W7,11112,"a, ""b""",2010-10-15\#r
            \#r
            "s05e120",1113,,2010-10-15\#r
            N12W41,"11114,,2010-10-15\#r
            N12W41,11115\#r
            N12W41,11115,,2010-02-30\#r
            N91W41,11116,,2010-10-15\#r
            N12W41,x,,2010-10-15\#r
            """#
        let catalogue = try catalogue(text)
        let midnight = try time("2010-10-15T00:00Z")
        #expect(
            catalogue.positions == [
                ActiveRegionPosition(time: midnight, number: 11112, latitude: 12, longitude: 7),
                ActiveRegionPosition(time: midnight, number: 11113, latitude: -5, longitude: -120),
            ])
        #expect(catalogue.warnings.map { $0.location?.suffix(6) } == ["line 5", "line 6", "line 7", "line 8", "line 9"])
        #expect(catalogue.warnings.map(\.found) == ["N12W41,\"11114,,2010-10-15", "nothing", "2010-02-30", "N91W41", "x"])
    }

    @Test func refusesWhatIsNoCatalogue() throws {
        expectFailure(.missingInput, "nowhere.csv") { _ = try ActiveRegionCatalogue(reading: [Fixture.url("nowhere.csv")]) }
        expectFailure(.badData, "SolarImage") { _ = try ActiveRegionCatalogue(reading: [Fixture.url("")]) }
        expectFailure(.badData, "cube.fits", "date, noaa_region, location") { _ = try ActiveRegionCatalogue(reading: [Fixture.url("cube.fits")]) }
        expectFailure(.badData, "regions.csv", "nothing") { _ = try catalogue(" \n\n") }
        expectFailure(.badData, "regions.csv", "date,region") { _ = try catalogue("date,region\n2010-10-15,11112\n") }
        expectFailure(.badData, "none of the 2 rows", "a date such as", "yesterday") {
            _ = try catalogue("date,noaa_region,location\nyesterday,11112,N12W41\ntoday,11112,N12W41\n")
        }
        #expect(try catalogue("date,noaa_region,location\n").positions.isEmpty, "a table may be empty")
    }

    @Test func findsTheNearestReport() throws {
        let catalogue = try ActiveRegionCatalogue(reading: [Self.table])
        let image = try time("2010-10-15T00:00:26Z")
        let found = catalogue.regions(at: image)
        #expect(found.map(\.position.number) == [11112, 11113, 11114, 11115])
        #expect(found.map(\.elapsed) == [26, 26, 26, 26 - 86400], "11115 was first reported on the next day")
        #expect(catalogue.regions(at: image, within: 3600).map(\.position.longitude) == [0, -63, 41])
        let evening = catalogue.regions(at: try time("2010-10-15T18:00Z"))
        #expect(evening.first?.position.longitude == 15 && evening.first?.elapsed == -21600, "the report of the next midnight is nearer")
        let noon = catalogue.regions(at: try time("2010-10-15T12:00Z"))
        #expect(noon.first?.position.longitude == 0 && noon.first?.elapsed == 43200, "of two as near the earlier")
        // The last rows of October 2010 are of the 16th.
        let later = try time("2010-10-18T12:00Z")
        #expect(catalogue.regions(at: later).isEmpty)
        #expect(catalogue.regions(at: later, within: 2.5 * 86400).map(\.elapsed).allSatisfy { $0 == 2.5 * 86400 })
        #expect(!catalogue.regions(at: later, within: 2.5 * 86400).isEmpty)
        #expect(catalogue.regions(at: try time("2010-10-19T01:00Z"), within: 1e9).isEmpty, "never over more than three days")
        for far in ["1980-01-01T00:00Z", "2040-01-01T00:00Z"] { #expect(catalogue.regions(at: try time(far)).isEmpty) }
        let merged = try self.catalogue(
            "date,noaa_region,location,size\n2010-10-15,11112,S17W01,\n2010-10-15,11112,S18E00,20\n2010-10-15,11112,S19W02,\n")
        #expect(merged.regions(at: image).map(\.position.area) == [20], "the report with an area")
    }
}
