import Foundation
import Groundwork

/// `metrics.jsonl`: one JSON object a line, each with a step.
struct MetricsLog {
    typealias Line = [String: Double]

    private let url: URL
    private let handle: FileHandle
    private(set) var lines: [Line]

    /// Opens the log and drops what was written after `step`, as after an interruption.
    init(_ url: URL, keepingUpTo step: Int) throws {
        self.url = url
        lines = Self.lines(of: url).filter { ($0["step"] ?? .infinity) <= Double(step) }
        try writeAtomically(try lines.map { try Self.text($0) + "\n" }.joined(), to: url)
        guard let handle = FileHandle(forWritingAtPath: url.path) else { throw Failure(.cannotWrite, "cannot be written", at: url.path) }
        handle.seekToEndOfFile()
        self.handle = handle
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
        let line = line.filter { $0.value.isFinite }
        lines.append(line)
        do {
            try handle.write(contentsOf: Data((try Self.text(line) + "\n").utf8))
        } catch {
            throw Failure(.cannotWrite, "cannot be written", at: url.path, found: error.localizedDescription)
        }
    }

    private static func text(_ line: Line) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }
}
