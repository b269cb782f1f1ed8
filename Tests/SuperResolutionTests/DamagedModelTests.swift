import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

/// Models that hold, or give, what is not finite; and files in which a bit has changed.
@Suite struct DamagedModelTests {
    private func setFirst(_ value: Float, in store: ParameterStore) {
        guard let parameter = store.parameters.first(where: { !$0.value.shape.isEmpty }) else { return }
        var values = parameter.value.values
        values[0] = value
        parameter.value = Tensor(shape: parameter.value.shape, values: values)
    }

    @Test(arguments: [Float.nan, .infinity]) func weightsThatAreNotFinite(_ value: Float) throws {
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("model.safetensors")
            for isFirstStage in [true, false] {
                let model = try ModelsExample.model()
                setFirst(value, in: isFirstStage ? model.firstStageStore : model.networkStore)
                try model.write(to: file)
                let failure = try #require(throws: Failure.self) { try Model(reading: file) }
                #expect(failure.category == .badData && failure.problem.contains("not finite"), "\(failure)")
                #expect(failure.location?.hasPrefix("\(file.path), tensor \(isFirstStage ? "autoencoder." : "unet.")") == true, "\(failure)")
                // As an autoencoder for training as well.
                #expect(throws: Failure.self) { try Model.autoencoder(reading: file, normalization: .weakField) }
            }
        }
    }

    @Test func aChangedBit() throws {
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("model.safetensors")
            for half in [false, true] {
                let model = try ModelsExample.model()
                if half { try model.writeHalfPrecision(to: file) } else { try model.write(to: file) }
                _ = try Model(reading: file)
                var bytes = try Data(contentsOf: file)
                // The lowest bit of a weight, which changes it by a ten millionth or a thousandth.
                bytes[bytes.count - 8] ^= 1
                try bytes.write(to: file)
                let failure = try #require(throws: Failure.self) { try Model(reading: file) }
                #expect(failure.category == .badData && failure.problem == "the model is damaged" && failure.location == file.path, "\(failure)")
            }
        }
    }

    @Test func whatSixteenBitsCannotHold() throws {
        try withTemporaryFolder { folder in
            let file = folder.appendingPathComponent("half.safetensors")
            let model = try ModelsExample.model()
            setFirst(-65504, in: model.networkStore)
            try model.writeHalfPrecision(to: file)
            let before = try Data(contentsOf: file)
            for value in [Float(65505), -1e5] {
                setFirst(value, in: model.networkStore)
                let failure = try #require(throws: Failure.self) { try model.writeHalfPrecision(to: file, at: "/a/model") }
                #expect(failure.category == .badData && failure.location?.hasPrefix("/a/model, tensor unet.") == true, "\(failure)")
                #expect(failure.expected == "at most 65504 in magnitude" && failure.found == "\(value)")
            }
            #expect(try Data(contentsOf: file) == before)
        }
    }

    /// As from weights that are finite and too large, here from one that became NaN after it was read.
    @Test func resultsThatAreNotFinite() throws {
        let low = TrainingExample.field(width: 24, height: 20, seed: 21)
        let model = try ModelsExample.model()
        setFirst(.nan, in: model.networkStore)
        for observation in [LinearObservation.exact, nil] {
            let resolver = try SuperResolver(model, at: "/a/model")
            let failure = try #require(throws: Failure.self) {
                try resolver.superResolve(low, options: .init(steps: 2, observation: observation))
            }
            #expect(failure.category == .badData && failure.problem == "the result is not finite", "\(failure)")
            #expect(failure.found?.contains("/a/model") == true && failure.location == nil)
        }
        let autoencoder = try ModelsExample.model(kind: .vqgan)
        setFirst(.nan, in: autoencoder.firstStageStore)
        #expect(try #require(throws: Failure.self) { try autoencoder.reconstruct(low) }.category == .badData)
        // Where the input has no data, the result has none: that is no failure.
        var holed = low
        for x in 3..<9 { holed[x, 5] = .nan }
        let result = try SuperResolver(try ModelsExample.model()).superResolve(holed, options: .init(steps: 2))
        #expect(result.pixels.filter(\.isNaN).count == 6 * 16)
    }

    @Test func weightsOfTheMetricsToo() throws {
        try withTemporaryFolder { folder in
            let resources = try #require(BundledModels.files().first?.url.deletingLastPathComponent())
            let bundled = try SafetensorsFile(reading: resources.appendingPathComponent("LPIPS/alexnet-v0.1.safetensors"))
            let url = folder.appendingPathComponent("lpips.safetensors")
            func write(_ value: Float) throws {
                try writeSafetensors(
                    try bundled.names.map { name in
                        var values = try bundled.tensor(named: name).values
                        if name == "lin2.model.1.weight" { values[5] = value }
                        return (name, Tensor(shape: bundled.shape(of: name) ?? [], values: values))
                    }, to: url)
            }
            try write(0.5)
            _ = try PerceptualDistance(SafetensorsFile(reading: url))
            try write(.nan)
            let failure = try #require(throws: Failure.self) { try PerceptualDistance(SafetensorsFile(reading: url)) }
            #expect(failure.location == "\(url.path), tensor lin2.model.1.weight", "\(failure)")
        }
    }

    // MARK: - Pairs

    @Test(
        arguments: [
            (.real(0), "0.0"), (.integer(0), "0"), (.real(-1.4), "-1.4"), (.string("nan"), "'nan'"), (.string("inf"), "'inf'"),
            (.real(1e300), "1e+300"), (.real(0.001), "0.001"), (.undefined, "no value"), (.string(""), "''"), (.logical(true), "T"),
        ] as [(FITSCard.Value, String)]) func factorsThatCannotBe(_ value: FITSCard.Value, _ found: String) throws
    {
        try withTemporaryFolder { folder in
            let high = TrainingExample.field(width: 48, height: 40, seed: 3)
            let file = folder.appendingPathComponent("pair.fits")
            func write(_ keyword: String, _ value: FITSCard.Value) throws {
                var header = FITSHeader()
                header.set(keyword, value)
                try FITSWriter.write(high, header: FITSHeader(), extensions: [("LR", high.blockMean(by: 4), header)], to: file, overwrite: true)
            }
            for keyword in ["MDIFACT", "GONGFACT", "LRFACT"] {
                try write(keyword, value)
                let failure = try #require(throws: Failure.self) { try FITSFile(reading: file).lowResolution() }
                #expect(failure.category == .badData && failure.location == "\(file.path), extension LR, \(keyword)", "\(failure)")
                #expect(failure.expected == "0.01 … 100" && failure.found == found, "\(failure)")
                #expect(try #require(throws: Failure.self) { try TrainingExample.collection(folder) }.found?.contains(keyword) == true)
            }
            // One given by the user stands in its place.
            #expect(try FITSFile(reading: file).lowResolution(dividedBy: 2) != nil)
            for sound in [FITSCard.Value.real(0.01), .integer(2), .string("1.4")] {
                try write("MDIFACT", sound)
                #expect(try FITSFile(reading: file).lowResolution() != nil)
            }
        }
    }
}
