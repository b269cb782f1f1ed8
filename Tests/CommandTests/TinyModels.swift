import Foundation
import SolarImage
import Testing

/// Files of other tests that are of use here.
func fixture(_ path: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/\(path)")
}

/// Made-up maps: two spots of opposite polarity on a weak background.
enum TestMap {
    /// - Parameters:
    ///   - arcsec: the side of a pixel, which the header states with a helioprojective grid.
    ///   - number: moves the spots, and is the number of the HARP.
    static func write(
        to url: URL, side: Int, arcsec: Double, number: Int = 1, telescope: String = "SDO/HMI", instrument: String = "HMI_SIDE1",
        change: (inout Image, inout FITSHeader) -> Void = { _, _ in }
    ) throws {
        var image = Image(width: side, height: side, repeating: 0)
        let scale = 48 / Double(side)
        for y in 0..<side {
            for x in 0..<side {
                let (u, v) = (Double(x) * scale, Double(y) * scale)
                func spot(_ field: Double, _ centreX: Double, _ centreY: Double) -> Double {
                    field * exp(-((u - centreX) * (u - centreX) + (v - centreY) * (v - centreY)) / 30)
                }
                let background = 15 * sin(1.7 * Double(x) + 0.3 * Double(y * number)) * cos(0.9 * Double(y) - 0.2 * Double(x))
                image[x, y] = Float(spot(1500, 14 + Double(number), 22) + spot(-1200, 32, 26 - Double(number)) + background)
            }
        }
        var header = FITSHeader()
        for (keyword, text) in [
            ("TELESCOP", telescope), ("INSTRUME", instrument), ("BUNIT", "Gauss"), ("CTYPE1", "HPLN-TAN"), ("CTYPE2", "HPLT-TAN"),
            ("CUNIT1", "arcsec"),
            ("CUNIT2", "arcsec"), ("T_OBS", "2001.03.29_12:48:02_TAI"),
        ] { header.set(keyword, .string(text)) }
        for (keyword, value) in [
            ("CRPIX1", 10.25), ("CRPIX2", -3.5), ("CRVAL1", 120), ("CRVAL2", -80), ("CDELT1", arcsec), ("CDELT2", arcsec), ("RSUN_OBS", 970),
            ("DSUN_OBS", 1.48e11),
        ] { header.set(keyword, .real(value)) }
        header.set("HARPNUM", .integer(number))
        change(&image, &header)
        try FITSWriter.write(image, header: header, to: url)
    }

    /// What `infer` takes: 2″ pixels of MDI.
    static func writeLow(to url: URL, side: Int = 24, number: Int = 1, change: (inout Image, inout FITSHeader) -> Void = { _, _ in }) throws {
        try write(to: url, side: side, arcsec: 1.98, number: number, telescope: "SOHO", instrument: "MDI", change: change)
    }

    /// What `train` and `evaluate` take: `count` maps of 0.5″ pixels, each of its own region.
    static func writeHigh(to folder: URL, count: Int = 3, side: Int = 64) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for number in 1...count { try write(to: folder.appendingPathComponent("map\(number).fits"), side: side, arcsec: 0.504, number: number) }
    }
}

/// Models trained for a few steps, once for all tests, and the maps they were trained on.
struct TinyModels {
    let maps, autoencoder, model: URL

    private static let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("sr-tiny-models-\(ProcessInfo.processInfo.processIdentifier)")

    static let shared: Result<TinyModels, any Error> = Result {
        atexit { try? FileManager.default.removeItem(at: TinyModels.folder) }
        let maps = folder.appendingPathComponent("maps")
        try TestMap.writeHigh(to: maps)
        let (autoencoder, model) = (folder.appendingPathComponent("autoencoder"), folder.appendingPathComponent("ldm"))
        let options = ["--preset", "tiny", "--steps", "20", "--crop-size", "32", "--quiet"]
        let first = try sr(["train", maps.path, "--model", "vqgan", "--output", autoencoder.path] + options)
        try #require(first.status == 0, "\(first)")
        let weights = autoencoder.appendingPathComponent("model.safetensors")
        let second = try sr(["train", maps.path, "--model", "ldm-residual", "--autoencoder", weights.path, "--output", model.path] + options)
        try #require(second.status == 0, "\(second)")
        return TinyModels(maps: maps, autoencoder: weights, model: model.appendingPathComponent("model.safetensors"))
    }
}

/// Runs `infer` on `low.fits`, a made-up MDI map of 24 × 24 pixels that is made where it is not there, and reads what comes of it.
/// - Parameter change: made to the map.
func inferLow(_ folder: URL, _ options: String..., change: (inout Image, inout FITSHeader) -> Void = { _, _ in }) throws -> FITSFile {
    let input = folder.appendingPathComponent("low.fits")
    if !FileManager.default.fileExists(atPath: input.path) { try TestMap.writeLow(to: input, change: change) }
    let model = try TinyModels.shared.get().model
    let arguments = ["infer", input.path, "--model", model.path, "--steps", "2", "--output", folder.path, "--overwrite", "--quiet"] + options
    let result = try sr(arguments)
    try #require(result.status == 0 && result.output.isEmpty && result.errors.isEmpty, "\(result)")
    return try FITSFile(reading: folder.appendingPathComponent("low_sr.fits"))
}
