import Foundation
import Groundwork

/// Where NOAA's active regions stood, day by day: read from Solar Region Summaries and tables, asked for the regions of an image.
public struct ActiveRegionCatalogue: Sendable {
    /// In ascending order of time, and of number for one time.
    public private(set) var positions: [ActiveRegionPosition] = []
    /// The rows that were left out, each with its file, line and reason.
    public private(set) var warnings: [Failure] = []

    /// The longest time in seconds, three days, over which a position is carried to another time.
    public static let longestTime = 3 * 86400.0

    /// Reads files of two kinds, told apart by what they hold:
    ///
    /// - Solar Region Summaries (`…SRS.txt`, of USAF and NOAA), one or several to a file: see ``SolarRegionSummary``.
    /// - Comma-separated values whose first row names the columns `date`, `noaa_region` and `location` (required), `size` (millionths of the
    ///   hemisphere) and `number_of_ss` (spots), in any order and among others. The location (`N12W41`) holds for 00:00 UT of the date.
    ///
    /// A row that cannot be read becomes a warning.
    /// - Throws: `Failure`: `.missingInput` if there is no such file; `.badData` if a file is of neither kind, or if none of its rows can be read.
    public init(reading urls: [URL]) throws {
        for url in urls {
            let lines = try ActiveRegionCatalogue.lines(of: url)
            if SolarRegionSummary.isSummary(lines) {
                let summary = try SolarRegionSummary(lines, at: url.path)
                positions += summary.positions
                warnings += summary.warnings
            } else {
                try readTable(lines, at: url.path)
            }
        }
        positions.sort { ($0.time, $0.number) < ($1.time, $1.number) }
    }

    /// The regions that were reported near a time, each by the report nearest to it.
    ///
    /// Of two reports equally near the earlier one is taken, of two for one time one that tells the area. Where the region stood at `time` follows
    /// from its position and the Sun's rotation during `elapsed`.
    /// - Parameter limit: seconds from a report to `time`; no more than ``longestTime`` counts.
    /// - Returns: `elapsed` in seconds from the report to `time`, negative where the report is later; in ascending order of the regions' numbers.
    public func regions(at time: ObservationTime, within limit: Double = 86400) -> [(position: ActiveRegionPosition, elapsed: Double)] {
        let limit = min(limit, ActiveRegionCatalogue.longestTime)
        // The first position that is not too early, by bisection.
        var (start, end) = (0, positions.count)
        while start < end {
            let middle = (start + end) / 2
            if positions[middle].time.taiSeconds < time.taiSeconds - limit { start = middle + 1 } else { end = middle }
        }
        var nearest: [Int: ActiveRegionPosition] = [:]
        for position in positions[start...].prefix(while: { $0.time.taiSeconds <= time.taiSeconds + limit }) {
            guard let other = nearest[position.number] else {
                nearest[position.number] = position
                continue
            }
            let (distance, least) = (abs(time.taiSeconds - position.time.taiSeconds), abs(time.taiSeconds - other.time.taiSeconds))
            if distance < least || (position.time == other.time && other.area == nil && position.area != nil) {
                nearest[position.number] = position
            }
        }
        return nearest.values.sorted { $0.number < $1.number }.map { ($0, time.taiSeconds - $0.time.taiSeconds) }
    }
}

extension ActiveRegionCatalogue {
    private static func lines(of url: URL) throws -> [Substring] {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw Failure(.missingInput, "there is no such file", at: url.path, remedy: "check the path")
        }
        do {
            let text = String(decoding: try Data(contentsOf: url), as: UTF8.self)
            return text.drop { $0 == "\u{FEFF}" }.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        } catch {
            throw Failure(.badData, "the file cannot be read", at: url.path, found: error.localizedDescription)
        }
    }

    /// Adds the rows of comma-separated values.
    private mutating func readTable(_ lines: [Substring], at path: String) throws {
        let required = ["date", "noaa_region", "location"]
        let head = lines.firstIndex { !$0.allSatisfy(\.isWhitespace) }
        let names = head.flatMap { ActiveRegionCatalogue.fields(lines[$0]) }?.map { $0.lowercased() } ?? []
        guard let head, required.allSatisfy(names.contains) else {
            throw Failure(
                .badData, "is no catalogue of active regions", at: path,
                expected: "a Solar Region Summary, or comma-separated values with the columns \(required.joined(separator: ", "))",
                found: head.map { "\"\(lines[$0].prefix(60))\"" } ?? "nothing")
        }
        let (before, others) = (positions.count, warnings.count)
        var months: [Substring: ObservationTime] = [:]
        for (index, line) in lines.enumerated().dropFirst(head + 1) where !line.allSatisfy(\.isWhitespace) {
            func leaveOut(expected: String, found: String) {
                warnings.append(Failure(.badData, "the row is left out", at: "\(path), line \(index + 1)", expected: expected, found: found))
            }
            guard let fields = ActiveRegionCatalogue.fields(line) else {
                leaveOut(expected: "a closing quotation mark", found: String(line.prefix(60)))
                continue
            }
            func field(_ name: String) -> String { names.firstIndex(of: name).flatMap { $0 < fields.count ? fields[$0] : nil } ?? "" }
            let date = field("date")
            guard let time = ActiveRegionCatalogue.time(date, months: &months) else {
                leaveOut(expected: "a date such as 2010-10-15", found: date.isEmpty ? "nothing" : date)
                continue
            }
            do {
                positions.append(
                    try ActiveRegionPosition(
                        time: time, number: field("noaa_region"), location: field("location"), area: Int(field("size")),
                        spotCount: Int(field("number_of_ss"))))
            } catch let unreadable as ActiveRegionPosition.Unreadable {
                leaveOut(expected: unreadable.expected, found: unreadable.found.isEmpty ? "nothing" : unreadable.found)
            }
        }
        if positions.count == before, warnings.count > others {
            throw Failure(
                .badData, "none of the \(warnings.count - others) rows can be read", at: path, expected: warnings[others].expected,
                found: warnings[others].found)
        }
    }

    /// 00:00 UT of a date such as `2010-10-15`, or a time with date as ``ObservationTime`` reads it.
    /// - Parameter months: the beginnings of months met before: days are counted from there, since reading a time is slow beside it. Leap seconds
    ///   come at the ends of months only.
    private static func time(_ text: String, months: inout [Substring: ObservationTime]) -> ObservationTime? {
        guard text.count == 10, let day = Int(text.suffix(2)), (1...31).contains(day) else { return ObservationTime(text) }
        guard let start = months[text.prefix(8)] ?? ObservationTime(text.prefix(8) + "01T00:00Z") else { return nil }
        months[text.prefix(8)] = start
        let time = ObservationTime(taiSeconds: start.taiSeconds + Double(day - 1) * 86400)
        return time.date.day == day ? time : nil
    }

    /// The fields of a line of comma-separated values without blanks around them. In quotation marks a field may hold commas, and quotation marks
    /// doubled. Nil if a quotation mark is not closed.
    private static func fields(_ line: Substring) -> [String]? {
        guard line.contains("\"") else {
            return line.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
        }
        var fields: [String] = []
        var field = ""
        var (isQuoted, justClosed) = (false, false)
        for character in line {
            switch character {
            case "\"":
                // A quotation mark right after a closing one stands for itself.
                if justClosed { field.append(character) }
                isQuoted.toggle()
                justClosed = !isQuoted
                continue
            case "," where !isQuoted:
                fields.append(field.trimmingCharacters(in: .whitespaces))
                field = ""
            default:
                field.append(character)
            }
            justClosed = false
        }
        if isQuoted { return nil }
        return fields + [field.trimmingCharacters(in: .whitespaces)]
    }
}
