import Foundation
import SolarImage
import SuperResolution
import Testing

/// What the bundled models do to pieces of real magnetograms that they were not trained on: the bounds leave room for rounding, not for another model.
@Suite struct BundledModelsTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")

    /// Means over samples, and figures of the ensemble.
    private func figures(_ instrument: Instrument, _ truth: Truth, consistency: LinearObservation?) throws -> [String: Double] {
        try figures(BundledModels.superResolution(for: instrument), truth, consistency: consistency)
    }

    private func figures(_ url: URL, _ truth: Truth, consistency: LinearObservation?, samples count: Int = 6) throws -> [String: Double] {
        let model = try Model(reading: url)
        var options = SuperResolver.Options(steps: 20)
        options.observation = consistency
        var samples: [Image] = []
        try SuperResolver(model).superResolve(truth.lowResolution, options: options, samples: 0..<count) { samples.append($1) }
        return try scores(samples, truth)
    }

    private func scores(_ samples: [Image], _ truth: Truth) throws -> [String: Double] {
        let rows = try Score.rows(
            model: "model", file: "file", samples: samples, truth: truth, groups: MetricGroup.all.named(["psnr", "lpips", "flux", "calibration"]),
            options: EvaluationOptions())
        var sums: [String: (sum: Double, count: Double)] = [:]
        for (key, value) in rows.flatMap(\.values) { sums[key] = ((sums[key]?.sum ?? 0) + value, (sums[key]?.count ?? 0) + 1) }
        return sums.mapValues { $0.sum / $0.count }
    }

    /// 24² pixels of MDI and 96² of HMI of NOAA 11183: sharper than bicubic enlargement, no farther from the truth in the mean, and unsure of what it does not know.
    @Test func mdi() throws {
        let url = Self.fixtures.appending(path: "Models/pair-noaa11183.fits")
        let low = try #require(try FITSFile(reading: url).lowResolution())
        #expect(low.instrument == .mdi)
        let truth = try Truth(try Magnetogram(reading: url).image, lowResolution: low.image)
        let found = try figures(.mdi, truth, consistency: nil), bicubic = try scores([low.image.bicubic(by: 4)], truth)
        func value(_ key: String) throws -> Double { try #require(found[key]) }
        #expect(try value("lpips") < 0.4 * #require(bicubic["lpips"]))
        #expect(try value("psnr_mean") > #require(bicubic["psnr"]) + 0.3)
        #expect(try value("unsigned_flux_error") < 10)
        #expect(try (0.5...1.2).contains(value("spread_skill")))
    }

    /// 96² pixels of HARP 1447, degraded by block means.
    @Test func blockMeansOfHMI() throws {
        let truth = try Truth(try Magnetogram(reading: Self.fixtures.appending(path: "SolarImage/Instruments/active-region.fits")).image)
        let found = try figures(.reference, truth, consistency: .exact), bicubic = try scores([truth.lowResolution.bicubic(by: 4)], truth)
        func value(_ key: String) throws -> Double { try #require(found[key]) }
        #expect(try value("lpips") < 0.4 * #require(bicubic["lpips"]))
        #expect(try value("psnr_mean") > #require(bicubic["psnr"]))
        #expect(try value("unsigned_flux_error") < 1)
        #expect(try (0.8...1.2).contains(value("spread_skill")))
    }

    /// The same by the paper's system.
    @Test func latentDiffusion() throws {
        let truth = try Truth(try Magnetogram(reading: Self.fixtures.appending(path: "SolarImage/Instruments/active-region.fits")).image)
        let url = try #require(BundledModels.files().first { $0.name == "ldm-residual-small" }).url
        let found = try figures(url, truth, consistency: .exact), bicubic = try scores([truth.lowResolution.bicubic(by: 4)], truth)
        func value(_ key: String) throws -> Double { try #require(found[key]) }
        #expect(try value("lpips") < 0.4 * #require(bicubic["lpips"]))
        #expect(try value("psnr_mean") > #require(bicubic["psnr"]) - 0.1)
        #expect(try value("unsigned_flux_error") < 1)
        #expect(try (0.5...1.2).contains(value("spread_skill")))
    }

    /// The same by those that give one answer: nearer to the truth than bicubic enlargement and less smooth.
    @Test(arguments: ["enhance-small", "progressive-small"])
    func oneAnswer(_ name: String) throws {
        let truth = try Truth(try Magnetogram(reading: Self.fixtures.appending(path: "SolarImage/Instruments/active-region.fits")).image)
        let url = try #require(BundledModels.files().first { $0.name == name }).url
        let found = try figures(url, truth, consistency: .exact, samples: 1), bicubic = try scores([truth.lowResolution.bicubic(by: 4)], truth)
        func value(_ key: String) throws -> Double { try #require(found[key]) }
        #expect(try value("lpips") < 0.8 * #require(bicubic["lpips"]))
        #expect(try value("psnr") > #require(bicubic["psnr"]))
        #expect(try value("unsigned_flux_error") < 1.5)
    }
}
