import Foundation
import Groundwork
import SolarImage
import SuperResolution

/// A report on maps made up for it, and what the evaluation said.
struct EvaluationExample: Sendable {
    let folder: URL
    let tables: String
    let failures: [Failure]
    /// The fractions done that were told.
    let progress: [Double]

    /// Runs an evaluation.
    init(_ evaluation: Evaluation, maps: [URL], to folder: URL, isCancelled: () -> Bool = { false }) throws {
        var progress: [Double] = []
        (tables, failures) = try evaluation.run(
            maps: maps, dataPath: "the maps", output: folder, progress: { part, _ in progress.append(part) }, isCancelled: isCancelled)
        (self.folder, self.progress) = (folder, progress)
    }

    // MARK: - What was written

    func text(_ name: String) throws -> String { try String(contentsOf: folder.appending(path: name), encoding: .utf8) }

    func report() throws -> EvaluationReport { try JSONDecoder().decode(EvaluationReport.self, from: Data(text("report.json").utf8)) }

    /// The lines of `per-image.csv`, by the names of its columns.
    func scores() throws -> [[String: String]] {
        let lines = try text("per-image.csv").split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        }
        return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
    }

    /// The names of the files in the folder, or in one of those in it.
    func names(in part: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: part).path).sorted()
    }

    /// A file beside the folder of the report.
    func input(_ path: String) -> URL { folder.deletingLastPathComponent().appending(path: path) }

    // MARK: - Maps

    static func field(_ seed: UInt64) -> Image { TrainingExample.field(width: 64, height: 64, seed: seed) }

    /// Writes a map as SHARPs are, which tells where on the disk it is.
    @discardableResult static func write(_ name: String, _ image: Image, harp: Int = 1, to folder: URL) throws -> URL {
        try createFolder(folder)
        let url = folder.appending(path: "\(name).fits")
        let header = FITSHeader.map(harp: harp, ["DSUN_OBS": .real(1.5e11), "CRLN_OBS": .real(300), "CRLT_OBS": .real(7)])
        try FITSWriter.write(image, header: header, to: url)
        return url
    }

    // MARK: - Evaluations made once for all tests

    private static let shared = FileManager.default.temporaryDirectory.appending(
        path: "sr-evaluations-\(ProcessInfo.processInfo.processIdentifier)")

    private static func sharedFolder(_ name: String) throws -> URL {
        atexit { try? FileManager.default.removeItem(at: EvaluationExample.shared) }
        let folder = shared.appending(path: name)
        try createFolder(folder)
        return folder
    }

    /// Two samples by a small diffusion model in the folder of its run, and an autoencoder with the name of a baseline, on two maps of two regions.
    static let models: Result<EvaluationExample, any Error> = Result {
        let folder = try sharedFolder("models")
        let maps = try (1...2).map { try write("map\($0)", field(UInt64($0)), harp: $0, to: folder.appending(path: "maps")) }
        let run = RunFolder(folder.appending(path: "run"))
        try run.create()
        try ModelsExample.model().write(to: run.model)
        let log = [#"{"step": 1, "loss": 0.5, "seconds": 1800}"#, #"{"step": 2, "loss": 0.4, "seconds": 3600}"#]
        try writeAtomically(log.joined(separator: "\n"), to: run.metrics)
        let autoencoder = folder.appending(path: "bicubic.safetensors")
        try ModelsExample.model(kind: .vqgan).write(to: autoencoder)
        var options = Evaluation.Options()
        (options.samples, options.resolver.steps) = (2, 2)
        let evaluation = try Evaluation(models: [run.model, autoencoder], options: options, logger: .init(label: "test"))
        return try EvaluationExample(evaluation, maps: maps, to: folder.appending(path: "report"))
    }

    /// Predictions given as files: of three maps, on two regions, they can be scored; four more maps and a prediction without a reference cannot.
    static let predictions: Result<EvaluationExample, any Error> = Result {
        let folder = try sharedFolder("predictions")
        let (references, other) = (folder.appending(path: "references"), folder.appending(path: "other"))
        let names = ["perfect", "blurred", "holes", "small", "absent", "damaged", "tiny"]
        let maps = try names.enumerated().map { index, name in
            let image = name == "tiny" ? Image(width: 20, height: 20, repeating: 5) : field(UInt64(index + 1))
            return try write(name, image, harp: min(index + 1, 2), to: references)
        }
        try write("perfect_sr", field(1), to: other)
        try write("blurred", field(2).blockMean(by: 4).replicated(by: 4), to: other)
        try write("holes", field(3).transformed { x, _, value in x < 16 ? .nan : value }, to: other)
        try write("small", field(4).cropped(x: 0, y: 0, width: 64, height: 32), to: other)
        try writeAtomically("no FITS file", to: other.appending(path: "damaged.fits"))
        try write("tiny", Image(width: 20, height: 20, repeating: 5), to: other)
        try write("stray", field(8), to: other)
        let evaluation = try Evaluation(predictions: fitsFiles(in: other), of: other, options: .init(), logger: .init(label: "test"))
        return try EvaluationExample(evaluation, maps: maps, to: folder.appending(path: "report"))
    }
}
