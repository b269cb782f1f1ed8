import Foundation
import Groundwork

/// `metrics.jsonl`: one JSON object a line, each with a step. The same figures go to a file of events for TensorBoard.
struct MetricsLog {
    /// Numbers by name and, of a step that was skipped, the files of its crops.
    struct Line: Codable {
        var numbers: [String: Double]
        var skippedFiles: [String]?

        private static let filesKey = "skipped_files"

        init(_ numbers: [String: Double], skippedFiles: [String]? = nil) { (self.numbers, self.skippedFiles) = (numbers, skippedFiles) }

        subscript(key: String) -> Double? {
            get { numbers[key] }
            set { numbers[key] = newValue }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
            skippedFiles = try container.decodeIfPresent([String].self, forKey: Name(Self.filesKey))
            numbers = try container.allKeys.filter { $0.stringValue != Self.filesKey }.reduce(into: [:]) { numbers, key in
                numbers[key.stringValue] = try container.decode(Double.self, forKey: key)
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Name.self)
            for (name, number) in numbers { try container.encode(number, forKey: Name(name)) }
            try container.encodeIfPresent(skippedFiles, forKey: Name(Self.filesKey))
        }

        private struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(_ name: String) { stringValue = name }
            init?(stringValue: String) { self.init(stringValue) }
            init?(intValue: Int) { return nil }
        }
    }

    /// What the names of a validation's metrics begin with.
    static let validationPrefix = "validation_"

    private let url: URL
    private let handle: FileHandle
    private(set) var lines: [Line]
    private var events: EventFile

    /// Opens the log and drops what was written after `step`, as after an interruption.
    init(_ url: URL, keepingUpTo step: Int) throws {
        self.url = url
        lines = Self.lines(of: url).filter { ($0["step"] ?? .infinity) <= Double(step) }
        try writeAtomically(try lines.map { try Self.text($0) + "\n" }.joined(), to: url)
        guard let handle = FileHandle(forWritingAtPath: url.path) else { throw Failure(.cannotWrite, "cannot be written", at: url.path) }
        handle.seekToEndOfFile()
        self.handle = handle
        events = EventFile(in: url.deletingLastPathComponent(), after: step)
    }

    /// The lines of a log that can be read; none if there is no such file.
    static func lines(of url: URL) -> [Line] {
        let text = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
        // Editors may have put in a byte order mark and "\r\n", which is one character.
        return text.drop { $0 == "\u{FEFF}" }.split(whereSeparator: \.isNewline).compactMap {
            try? JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
    }

    mutating func append(_ line: Line) throws {
        // JSON has no word for what is not finite.
        let line = Line(line.numbers.filter { $0.value.isFinite }, skippedFiles: line.skippedFiles)
        lines.append(line)
        do {
            try handle.write(contentsOf: Data((try Self.text(line) + "\n").utf8))
        } catch {
            throw Failure(.cannotWrite, "cannot be written", at: url.path, found: error.localizedDescription)
        }
        let figures = line.numbers.filter { $0.key != "step" }.sorted { $0.key < $1.key }
        try events.append(figures.map { .scalar(tag: $0.key, $0.value) }, step: line["step"].flatMap { Int(exactly: $0) } ?? 0)
    }

    /// Adds a picture to the events, which the log itself has no place for.
    /// - Parameter png: its file.
    mutating func append(picture png: URL, step: Int) throws {
        guard let data = try? Data(contentsOf: png) else { return }
        try events.append([.picture(tag: "samples", png: data)], step: step)
    }

    private static func text(_ line: Line) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }
}
