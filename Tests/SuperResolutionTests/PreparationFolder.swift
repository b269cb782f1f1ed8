import Foundation
import Groundwork
import SolarImage
import SuperResolution
import SyntheticSun

/// Files to prepare, in the folder `in`, and what was made of them, in `out`.
struct PreparationFolder {
    let url: URL
    var output: PreparedFolder { PreparedFolder(url.appending(path: "out")) }

    /// The place of a file to prepare.
    func input(_ name: String) -> URL { url.appending(path: "in/\(name)") }

    func files() throws -> [URL] { try fitsFiles(in: url.appending(path: "in")) }

    /// Writes a file to prepare.
    @discardableResult func write(_ name: String, _ header: FITSHeader, _ image: Image) throws -> URL {
        try FITSWriter.write(image, header: header, to: input(name))
        return input(name)
    }

    /// Writes a full disk to prepare.
    @discardableResult func write(_ name: String, _ disk: SyntheticDisk, _ overrides: [String: String?] = [:]) throws -> URL {
        try disk.write(to: input(name), overrides: overrides)
        return input(name)
    }

    /// Prepares files, by default all of `in`.
    @discardableResult func prepare(
        _ options: PreparationOptions, files: [URL]? = nil, startsAnew: Bool = true
    ) throws -> PreparationSurvey {
        let files = try files ?? self.files()
        let staging = try PreparationStaging(in: output.url, files: files, options: options, startsAnew: startsAnew)
        let survey = try PreparationSurvey(of: files, options: options, staging: staging)
        _ = try Preparation(survey, options: options).write(staging, to: output, inputs: ["in"])
        return survey
    }

    /// The lines of the manifest for crops.
    func crops() throws -> [ManifestCrop] { try manifest() }

    /// The lines of the manifest for what was left out.
    func rejections() throws -> [ManifestRejection] { try manifest() }

    private func manifest<Line: Decodable>() throws -> [Line] {
        let lines = try String(contentsOf: output.manifest, encoding: .utf8).split(separator: "\n")
        return lines.compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    /// Where a crop is.
    func crop(_ line: ManifestCrop) -> URL { output.url.appending(path: line.output) }

    /// All files of the output, by their paths in it.
    func content() throws -> [String: Data] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: output.url.path).filter { $0.contains(".") }
        return try Dictionary(uniqueKeysWithValues: paths.map { ($0, try Data(contentsOf: output.url.appending(path: $0))) })
    }
}

/// A folder for files to prepare, gone after `body`.
func withPreparationFolder(_ body: (PreparationFolder) throws -> Void) throws {
    try withTemporaryFolder { url in
        try FileManager.default.createDirectory(at: url.appending(path: "in"), withIntermediateDirectories: true)
        try body(PreparationFolder(url: url))
    }
}

extension PreparationOptions {
    /// The default options with some changed.
    init(_ change: (inout PreparationOptions) -> Void) {
        self.init()
        change(&self)
    }
}

extension FITSHeader {
    /// That of a map of HMI as CEA maps are, 1.2° to a side of 40 pixels, with further cards.
    static func map(harp: Int? = nil, time: String? = "2012.03.06_14:24:00_TAI", _ others: [String: FITSCard.Value] = [:]) -> FITSHeader {
        var values: [String: FITSCard.Value] = [
            "CTYPE1": .string("CRLN-CEA"), "CTYPE2": .string("CRLT-CEA"), "CUNIT1": .string("degree"), "CUNIT2": .string("degree"),
            "CDELT1": .real(0.03), "CDELT2": .real(0.03), "CRPIX1": .real(40.5), "CRPIX2": .real(30.5), "CRVAL1": .real(301.25), "CRVAL2": .real(17),
            "TELESCOP": .string("SDO/HMI"), "QUALITY": .integer(0), "BUNIT": .string("Mx/cm^2"), "DATAMAX": .real(9),
        ]
        if let harp { values["HARPNUM"] = .integer(harp) }
        if let time { values["T_OBS"] = .string(time) }
        return FITSHeader(values.merging(others) { $1 }.sorted { $0.key < $1.key }.map { FITSCard($0.key, $0.value) })
    }
}
