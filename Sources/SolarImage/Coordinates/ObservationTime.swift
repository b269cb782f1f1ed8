import Foundation

/// A moment of observation, counted in International Atomic Time so that differences between observations are exact.
public struct ObservationTime: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Seconds of atomic time since 1970-01-01T00:00:00 TAI.
    public let taiSeconds: Double

    public init(taiSeconds: Double) { self.taiSeconds = taiSeconds }

    /// Reads a time as solar archives write it: `2012.03.06_14:23:56_TAI`, `2010-10-15T00:00:26.000`, `2009-01-31T08:03:02.462Z`, `20110402_204800_TAI`,
    /// `28-Jul-2009 17:41:30`, `06/03/1998 14:23:00` (day, month, year).
    ///
    /// Of the date's parts the year comes first, with `.`, `-`, `/` or nothing between them, or last, behind day and month: a number between `/`, or a name
    /// between `-`. Date and time are separated by `_`, `T` or blanks; seconds may be missing. A scale of time may follow (`_TAI`, `Z`, `(UTC)`), or how far the
    /// clock is ahead of UTC (`+00:00`).
    /// - Parameter scale: of a time that does not name its own; nil if that is not known.
    /// - Returns: nil for anything else, and for years before 1970, by which archives mark a missing time.
    init?(_ text: String, _ scale: Scale?) {
        let pattern = /\s*(\S+?)(?:[_T]|\s+)(\d{1,2}):?(\d{2})(?::?(\d{2}(?:\.\d*)?))?(?:[_\s]*\(?([A-Z]+)\)?|([+-]\d{2}):?(\d{2}))?\s*/
        guard let match = text.uppercased().wholeMatch(of: pattern), let days = ObservationTime.days(date: match.1),
            let hour = Int(match.2), let minute = Int(match.3), let second = Double(match.4 ?? "0"), hour < 24, minute < 60, second < 61
        else { return nil }
        var scale = match.5.map { Scale(String($0)) } ?? scale, ahead = 0
        if let hours = match.6.flatMap({ Int($0) }), let minutes = match.7.flatMap({ Int($0) }) {
            (scale, ahead) = (.utc, 3600 * hours + (match.6?.hasPrefix("-") == true ? -60 : 60) * minutes)
        }
        guard let scale else { return nil }
        taiSeconds = scale.tai(day: days, second: Double(hour * 3600 + minute * 60) + second) - Double(ahead)
    }

    /// The same, in UTC unless the text tells otherwise.
    public init?(_ text: String) { self.init(text, .utc) }

    /// - Parameter modifiedJulianDate: days since 1858-11-17 on a clock of that scale; in UTC a day may have 86,401 seconds.
    /// - Returns: nil before 1970, for what is no date, and for a scale that is not known.
    init?(modifiedJulianDate: Double, _ scale: Scale?) {
        guard let scale, (40587..<100_000).contains(modifiedJulianDate) else { return nil }
        let day = Int(modifiedJulianDate) - 40587
        let length = scale.tai(day: day + 1, second: 0) - scale.tai(day: day, second: 0)
        taiSeconds = scale.tai(day: day, second: (modifiedJulianDate - modifiedJulianDate.rounded(.down)) * length)
    }

    /// Year, month (1–12) and day (1–31) in UTC.
    public var date: (year: Int, month: Int, day: Int) {
        let utc = utc
        return (utc.year, utc.month, utc.day)
    }

    /// ISO 8601 in UTC with milliseconds, such as `2012-03-06T14:23:22.000Z`.
    public var description: String {
        let utc = utc
        func padded(_ number: Int, _ width: Int = 2) -> String { String(repeating: "0", count: max(0, width - "\(number)".count)) + "\(number)" }
        let (second, rest) = utc.millisecond.quotientAndRemainder(dividingBy: 1000)
        let (minute, seconds) = min(second, 86399).quotientAndRemainder(dividingBy: 60)
        return "\(padded(utc.year, 4))-\(padded(utc.month))-\(padded(utc.day))T\(padded(minute / 60)):\(padded(minute % 60)):"
            + "\(padded(seconds + max(0, second - 86399))).\(padded(rest, 3))Z"
    }

    public static func < (a: ObservationTime, b: ObservationTime) -> Bool { a.taiSeconds < b.taiSeconds }
}

extension ObservationTime {
    /// What a clock shows.
    enum Scale {
        /// With leap seconds.
        case utc
        /// Atomic time less so many seconds: 0 for TAI, 19 for GPS, −32.184 for terrestrial time.
        case atomic(behind: Double)

        /// By its name in `TIMESYS` (FITS Standard 4.0, table 30) or behind a time; nil for others, as of clocks elsewhere in the solar system. Barycentric dynamical
        /// time is terrestrial time to 2 ms.
        init?(_ name: String) {
            switch name.uppercased() {
            case "UTC", "UT", "UT1", "GMT", "Z": self = .utc
            case "TAI", "IAT": self = .atomic(behind: 0)
            case "TT", "TDT", "ET", "TDB": self = .atomic(behind: -32.184)
            case "GPS": self = .atomic(behind: 19)
            default: return nil
            }
        }

        /// - Parameters:
        ///   - day: since 1970-01-01.
        ///   - second: of that day.
        func tai(day: Int, second: Double) -> Double {
            let seconds = Double(day) * 86400
            return switch self {
            case .utc: seconds + second + ObservationTime.leapSeconds(atUTC: seconds)
            case .atomic(let behind): seconds + second + behind
            }
        }
    }

    /// Days since 1970-01-01 of a date in capitals; nil for what is none, and for years before 1970.
    ///
    /// A year of two digits is one of the last century between `/`, as in FITS before 1997; behind the name of a month it may be of this one.
    private static func days(date: Substring) -> Int? {
        let year: Int?, month: Int?, day: Int?
        if let match = date.wholeMatch(of: /(\d{4})[.\-\/]?(\d{2})[.\-\/]?(\d{2})/) {
            (year, month, day) = (Int(match.1), Int(match.2), Int(match.3))
        } else if let match = date.wholeMatch(of: /(\d{1,2})\/(\d{1,2})\/(\d{4}|\d{2})/) {
            (year, month, day) = (Int(match.3).map { $0 < 100 ? 1900 + $0 : $0 }, Int(match.2), Int(match.1))
        } else if let match = date.wholeMatch(of: /(\d{1,2})-([A-Z]{3})[A-Z]*-(\d{4}|\d{2})/) {
            let names = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
            (year, month) = (
                Int(match.3).map { $0 < 70 ? 2000 + $0 : $0 < 100 ? 1900 + $0 : $0 }, names.firstIndex(of: String(match.2)).map { $0 + 1 }
            )
            day = Int(match.1)
        } else {
            return nil
        }
        guard let year, let month, let day, year >= 1970, (1...12).contains(month) else { return nil }
        let days = days(year: year, month: month, day: day)
        return civil(days: days) == (year, month, day) ? days : nil
    }

    /// Civil date and the milliseconds of its day, which has 86,401 seconds when it ends with a leap second.
    private var utc: (year: Int, month: Int, day: Int, millisecond: Int) {
        let tai = (taiSeconds * 1000).rounded() / 1000
        // UTC is behind TAI, so the day in TAI is right or one too late.
        var day = Int((tai / 86400).rounded(.down))
        if tai < Double(day) * 86400 + ObservationTime.leapSeconds(atUTC: Double(day) * 86400) { day -= 1 }
        let milliseconds = Int(((tai - Double(day) * 86400 - ObservationTime.leapSeconds(atUTC: Double(day) * 86400)) * 1000).rounded())
        let (year, month, dayOfMonth) = ObservationTime.civil(days: day)
        return (year, month, dayOfMonth, milliseconds)
    }

    /// TAI − UTC in seconds on the day that begins at that count of 86,400-second days since 1970; 10 before 1972, when UTC ran at another rate.
    private static func leapSeconds(atUTC seconds: Double) -> Double {
        Double(10 + leapDays.prefix { Double($0) * 86400 <= seconds }.count)
    }

    /// The first days, since 1970, after a leap second (IERS Bulletin C; none has been announced since 2017).
    private static let leapDays: [Int] = [
        (1972, 7), (1973, 1), (1974, 1), (1975, 1), (1976, 1), (1977, 1), (1978, 1), (1979, 1), (1980, 1), (1981, 7), (1982, 7), (1983, 7), (1985, 7),
        (1988, 1), (1990, 1), (1991, 1), (1992, 7), (1993, 7), (1994, 7), (1996, 1), (1997, 7), (1999, 1), (2006, 1), (2009, 1), (2012, 7), (2015, 7),
        (2017, 1),
    ].map { days(year: $0, month: $1, day: 1) }

    /// Days since 1970-01-01 in the Gregorian calendar; the year is taken to begin in March, so that the leap day is its last.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }

    /// The inverse of ``days(year:month:day:)``.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        var year = Int(Double(shifted) / 365.2425)
        func start(_ year: Int) -> Int { year * 365 + year / 4 - year / 100 + year / 400 }
        while start(year + 1) <= shifted { year += 1 }
        while start(year) > shifted { year -= 1 }
        let dayOfYear = shifted - start(year)
        let month = (5 * dayOfYear + 2) / 153
        return (month < 10 ? year : year + 1, month < 10 ? month + 3 : month - 9, dayOfYear - (153 * month + 2) / 5 + 1)
    }
}
