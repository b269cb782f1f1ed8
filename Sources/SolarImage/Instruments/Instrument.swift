/// A magnetograph: how its files are recognised, what they do differently from others', and under what conditions they were taken.
///
/// Each stands in a file of its own; adding one takes a line in ``all`` besides.
public struct Instrument: Sendable {
    /// In options, manifests and model files, such as `mdi`.
    public let name: String
    /// For people; nil if it is not known.
    public var title: String?
    /// Whether a header tells that the file is of this instrument.
    var recognises: @Sendable (FITSHeader) -> Bool = { _ in false }
    /// Whether a file is named as archives name this instrument's; asked only where the header tells no instrument.
    var recognisesName: @Sendable (String) -> Bool = { _ in false }
    /// The bits of `QUALITY` that mark an image as unfit; of any instrument the top bit, by which JSOC says that there is no image.
    public var unfitQualityBits: UInt32 = 0x8000_0000
    /// The keyword of the angle in degrees from solar north to image up, clockwise as seen, in files with `solar-x` axes and no matrix or `CROTA2`.
    var rollKeyword: String?
    /// Solar radii from the centre of the disk beyond which pixels hold no data, whatever their values; nil where the files mark these pixels.
    var limb: Double?
    /// The header as other instruments have theirs, so that grid, observer and time can be read from it; called once, when the file is opened.
    var standardHeader: @Sendable (FITSHeader) -> FITSHeader = { $0 }
    /// The conditions that a header, in its standard form, tells of.
    package var conditions: @Sendable (FITSHeader) -> ObservingConditions = { ObservingConditions(arcsecPerPixel: PixelGrid($0)?.arcsecPerPixel) }
    /// What training draws the conditions from that this instrument is simulated with; nil for one that is not simulated.
    package var degradation: Degradation?

    init(_ name: String) { self.name = name }
}

extension Instrument {
    /// Every instrument there is.
    public static let all: [Instrument] = [
        .hmi,
        .mdi,
        .gong,
    ]

    /// The instrument whose field and scale of Gauss models give.
    public static let reference = hmi

    /// The instrument of that ``name``.
    public init?(name: String) {
        guard let instrument = (Instrument.all + [.unknown]).first(where: { $0.name == name }) else { return nil }
        self = instrument
    }

    /// Recognises the instrument by `TELESCOP`, `INSTRUME`, `CAMERA` and `CONTENT`.
    public init(header: FITSHeader) { self = Instrument.all.first { $0.recognises(header) } ?? .unknown }

    /// The same; of a header with none of these keywords by the file's name, if that begins as archives name their files.
    public init(header: FITSHeader, fileName: String) {
        self.init(header: header)
        guard self == .unknown, header.origins.isEmpty else { return }
        self = Instrument.all.first { $0.recognisesName(fileName) } ?? .unknown
    }

    /// Whether its field differs from the reference's: whether it is known, and another.
    public var isOther: Bool { self != .reference && self != .unknown }

    /// The conditions of its usual images, as far as they can be told without a header.
    package var usualConditions: ObservingConditions { conditions(FITSHeader()) }

    /// The keyword for what a low resolution beside a crop is to be divided by, to be on the reference's scale of Gauss: `MDIFACT`.
    package var gainKeyword: String { "\((title ?? "LR").prefix(4))FACT" }
}

extension Instrument: Hashable, Codable, CustomStringConvertible {
    public static func == (a: Instrument, b: Instrument) -> Bool { a.name == b.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    public var description: String { name }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let instrument = Instrument(name: name) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "there is no instrument \(name)")
        }
        self = instrument
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

extension FITSHeader {
    /// What the header says of the instrument, in upper case.
    var origins: [String] { ["TELESCOP", "INSTRUME", "CAMERA", "CONTENT"].compactMap { string($0)?.uppercased() } }

    /// Whether one of ``origins`` begins with one of the names, or has it among its words (`SDO/HMI`, `SOHO MDI`, `SOI-MDI`).
    func isOf(_ names: String...) -> Bool {
        origins.contains { origin in
            let words = " \(origin.split { !$0.isLetter && !$0.isNumber }.joined(separator: " ")) "
            return names.contains { origin.hasPrefix($0) || words.contains(" \($0) ") }
        }
    }

    /// What the low resolution beside a crop is to be divided by, and the instrument that it is of.
    package var gain: (instrument: Instrument, value: Double)? {
        for instrument in Instrument.all + [.unknown] {
            if let value = real(instrument.gainKeyword), value > 0 { return (instrument, value) }
        }
        return nil
    }
}
