import Foundation
import Groundwork

/// The Solar Region Summary (SRS) that USAF and NOAA issue daily at 00:30 UT, read for the positions in it.
///
/// Part I lists regions with spots, part IA plages without spots. Both say for when, as a rule `LOCATIONS VALID AT 05/2400Z`: the end of the 5th,
/// that is 00:00 UT of the day of issue. Part II lists regions due to return, which are behind the limb; it is passed over.
struct SolarRegionSummary {
    private(set) var positions: [ActiveRegionPosition] = []
    /// The rows that were left out.
    private(set) var warnings: [Failure] = []

    /// Whether the first lines of a file are those of a summary.
    static func isSummary(_ lines: [Substring]) -> Bool {
        lines.prefix(40).contains { $0.uppercased().contains("SOLAR REGION SUMMARY") }
    }

    private enum Part { case spots, plages, other }

    /// - Parameters:
    ///   - lines: one summary or several one after the other.
    ///   - path: of the file, for messages.
    /// - Throws: `Failure` (`.badData`) if the date of issue is missing.
    init(_ lines: [Substring], at path: String) throws {
        var issue: ObservationTime?
        var part = Part.other
        var time: ObservationTime?
        for (index, line) in lines.enumerated() {
            let location = "\(path), line \(index + 1)"
            if let date = SolarRegionSummary.dateOfIssue(line) {
                issue = date
                part = .other
            } else if let heading = line.prefixMatch(of: /\s*(IA|II|I)\s*\./) {
                part = heading.1 == "I" ? .spots : heading.1 == "IA" ? .plages : .other
                guard part != .other else { continue }
                guard let issue else {
                    throw Failure(.badData, "the date of issue is missing", at: location, expected: "a line such as :Issued: 1996 Jan 06 0030 UTC")
                }
                time = SolarRegionSummary.validity(line, issue: issue)
                if time == nil {
                    warnings.append(
                        Failure(
                            .badData, "the part is left out", at: location, expected: "LOCATIONS VALID AT, day of the month, time",
                            found: String(line.prefix(80))))
                }
            } else if part != .other, let time, let first = line.first(where: { !$0.isWhitespace }), first.isNumber {
                read(line, part, time, location)
            }
        }
        guard issue != nil else {
            throw Failure(.badData, "the date of issue is missing", at: path, expected: "a line such as :Issued: 1996 Jan 06 0030 UTC")
        }
    }

    /// Part I: number, location, Carrington longitude, area, Zurich class, extent in longitude, spots, magnetic class. Part IA: the first three.
    private mutating func read(_ line: Substring, _ part: Part, _ time: ObservationTime, _ location: String) {
        let fields = line.split(whereSeparator: \.isWhitespace)
        func count(_ index: Int) -> Int? { part == .plages ? 0 : index < fields.count ? Int(fields[index]) : nil }
        do {
            positions.append(
                try ActiveRegionPosition(
                    time: time, number: fields[0], location: fields.count > 1 ? fields[1] : "", area: count(3), spotCount: count(6)))
        } catch {
            let unreadable = error as? ActiveRegionPosition.Unreadable
            warnings.append(Failure(.badData, "the row is left out", at: location, expected: unreadable?.expected, found: String(line)))
        }
    }

    /// 00:00 UT of the day in `:Issued: 1996 Jan 06 0030 UTC` or `SRS NUMBER 006 ISSUED AT 0030Z ON 06 JANUARY 1996`.
    private static func dateOfIssue(_ line: Substring) -> ObservationTime? {
        if let match = line.prefixMatch(of: /(?i):Issued:\s*(\d{4})\s+([A-Z]{3})[A-Z]*\s+(\d{1,2})/) {
            return midnight(year: Int(match.1), month: month(match.2), day: Int(match.3))
        }
        if let match = line.firstMatch(of: /(?i)ISSUED AT \d{4}\s?Z ON (\d{1,2})\s+([A-Z]{3})[A-Z]*\s+(\d{4})/) {
            return midnight(year: Int(match.3), month: month(match.2), day: Int(match.1))
        }
        return nil
    }

    /// The time in `VALID AT 05/2400Z`, on the last such day of a month up to the issue; the issue's date if the line tells none.
    private static func validity(_ line: Substring, issue: ObservationTime) -> ObservationTime? {
        guard line.uppercased().contains("VALID AT") else { return issue }
        guard let match = line.firstMatch(of: /(?i)VALID AT\s+(\d{1,2})\/(\d{2})(\d{2})\s?Z/), let day = Int(match.1), let hour = Int(match.2),
            let minute = Int(match.3), hour * 60 + minute <= 24 * 60, minute < 60
        else { return nil }
        for daysBefore in 0..<62 {
            // Counted from noon, so that leap seconds do not matter.
            let noon = ObservationTime(taiSeconds: issue.taiSeconds + 43200 - Double(daysBefore) * 86400)
            guard noon.date.day == day else { continue }
            let date = hour == 24 ? ObservationTime(taiSeconds: noon.taiSeconds + 86400).date : noon.date
            guard let start = midnight(year: date.year, month: date.month, day: date.day) else { return nil }
            return ObservationTime(taiSeconds: start.taiSeconds + Double((hour % 24) * 3600 + minute * 60))
        }
        return nil
    }

    private static func month(_ name: Substring) -> Int? {
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"].firstIndex(of: name.uppercased()).map { $0 + 1 }
    }

    private static func midnight(year: Int?, month: Int?, day: Int?) -> ObservationTime? {
        guard let year, let month, let day else { return nil }
        return ObservationTime(String(format: "%04d-%02d-%02dT00:00Z", year, month, day))
    }
}
