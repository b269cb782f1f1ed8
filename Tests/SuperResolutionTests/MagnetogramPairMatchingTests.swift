import Foundation
import Groundwork
import SolarImage
import SuperResolution
import SyntheticSun
import Testing

@Suite struct MagnetogramPairMatchingTests {
    /// Writes a small disk taken so many minutes after the epoch.
    private func write(
        _ camera: SyntheticCamera, at minutes: Double, to folder: URL, as name: String, overrides: [String: String?] = [:]
    ) throws -> URL {
        let url = folder.appendingPathComponent(name)
        let observer = SyntheticObserver(distance: 150e9, longitude: 100, latitude: 7)
        let disk = SyntheticDisk(
            SyntheticSun(spots: [], epoch: SyntheticPair.epoch), from: observer, by: camera, at: SyntheticPair.epoch + minutes * 60, noise: 5)
        try disk.write(to: url, overrides: overrides)
        return url
    }

    @Test func pairsNearestNeighbours() throws {
        try withTemporaryFolder { folder in
            let high = try [0.0, 12, 24, 200, 300].map { try write(.hmi(reduction: 64), at: $0, to: folder, as: "h\(Int($0)).fits") }
            let low = try [106.0, 10, 192, 204].map { try write(.mdi(reduction: 16), at: $0, to: folder, as: "m\(Int($0)).fits") }
            let matching = MagnetogramPairMatching(high: high, low: low, limit: 15)
            #expect(matching.matches.map(\.high) == [high[1], high[3]] && matching.matches.map(\.low) == [low[1], low[3]])
            #expect(abs(matching.matches[0].minutes - 2) < 1e-9 && abs(matching.matches[1].minutes + 4) < 1e-9)
            #expect(matching.unmatchedHigh.map(\.url) == [high[0], high[2], high[4]] && matching.unmatchedLow.map(\.url) == [low[0], low[2]])
            #expect(matching.unmatchedHigh[0].reason == "the nearest file of another instrument is 10.0 minutes away and has a nearer one: m10.fits")
            #expect(matching.unmatchedHigh[2].reason == "the nearest file of another instrument is 96.0 minutes away, more than 15: m204.fits")
            #expect(matching.unmatchedLow[0].reason == "the nearest file of hmi is 82.0 minutes away, more than 15: h24.fits")
            #expect((matching.unmatchedHigh + matching.unmatchedLow).allSatisfy { $0.failure == nil })
            // Exactly at the limit, and beyond it.
            #expect(MagnetogramPairMatching(high: [high[0]], low: [low[1]], limit: 10).matches.count == 1)
            #expect(MagnetogramPairMatching(high: [high[0]], low: [low[1]], limit: 9.99).matches.isEmpty)
            // The order of the files does not matter.
            let reversed = MagnetogramPairMatching(high: high.reversed(), low: low.reversed(), limit: 15)
            #expect(reversed.matches == matching.matches.reversed())
        }
    }

    @Test func takesTheEarlierOfTwoEquallyNear() throws {
        try withTemporaryFolder { folder in
            let high = try write(.hmi(reduction: 64), at: 30, to: folder, as: "h.fits")
            let low = try [40.0, 20].map { try write(.mdi(reduction: 16), at: $0, to: folder, as: "m\(Int($0)).fits") }
            let copy = try write(.mdi(reduction: 16), at: 20, to: folder, as: "copy.fits")
            let matching = MagnetogramPairMatching(high: [high], low: low + [copy], limit: 60)
            #expect(matching.matches.map(\.low) == [low[1]] && matching.unmatchedLow.map(\.url) == [low[0], copy])
        }
    }

    /// `T_REC`, the slot, and `DATE-OBS`, the beginning, only where there is no `T_OBS`.
    @Test func goesByTheMiddleOfTheExposure() throws {
        try withTemporaryFolder { folder in
            let high = try write(.hmi(reduction: 64), at: 44, to: folder, as: "h.fits")
            let low = try write(.mdi(reduction: 16), at: 44, to: folder, as: "m.fits")
            #expect(MagnetogramPairMatching(high: [high], low: [low], limit: 0).matches.count == 1)
            let slot = try write(.mdi(reduction: 16), at: 44, to: folder, as: "s.fits", overrides: ["T_OBS": nil])
            #expect(MagnetogramPairMatching(high: [high], low: [slot], limit: 43.9).matches.isEmpty)
            #expect(MagnetogramPairMatching(high: [high], low: [slot], limit: 44.1).matches.count == 1)
        }
    }

    @Test func saysWhyAFileCannotBePaired() throws {
        try withTemporaryFolder { folder in
            let high = try write(.hmi(reduction: 64), at: 0, to: folder, as: "h.fits")
            let noTime: [String: String?] = ["T_OBS": nil, "T_REC": nil, "DATE-OBS": nil]
            let garbage = folder.appendingPathComponent("garbage.fits")
            try Data("no FITS at all".utf8).write(to: garbage)
            let low = [
                high, try write(.mdi(reduction: 16), at: 0, to: folder, as: "unfit.fits", overrides: ["QUALITY": "1024"]),
                try write(.mdi(reduction: 16), at: 0, to: folder, as: "timeless.fits", overrides: noTime), garbage,
                folder.appendingPathComponent("missing.fits"),
            ]
            let matching = MagnetogramPairMatching(high: [high], low: low, limit: 1e9)
            #expect(matching.matches.isEmpty && matching.unmatchedHigh.map(\.reason) == ["there is no file of another instrument to pair it with"])
            let reasons = matching.unmatchedLow.map(\.reason)
            #expect(reasons.count == 5 && reasons[0] == "it is of hmi, as those that it would be paired with" && reasons[1].contains("0x00000400"))
            #expect(reasons[2].contains("time of observation"))
            #expect(matching.unmatchedLow.map { $0.failure?.category } == [nil, nil, nil, .badData, .missingInput])

            let good = try write(.mdi(reduction: 16), at: 0, to: folder, as: "good.fits")
            #expect(MagnetogramPairMatching(high: [high], low: [good], limit: 1).matches.count == 1)
            #expect(MagnetogramPairMatching(high: [high], low: [good], limit: 1, qualityMask: 0x200).matches.isEmpty)
        }
    }
}
