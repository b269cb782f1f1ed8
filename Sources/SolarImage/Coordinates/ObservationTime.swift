import Foundation

/// A moment of observation, counted in International Atomic Time so that differences between observations are exact.
public struct ObservationTime: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Seconds of atomic time since 1970-01-01T00:00:00 TAI.
    public let taiSeconds: Double

    public init(taiSeconds: Double) { self.taiSeconds = taiSeconds }

    /// Reads a time as solar archives write it: `2012.03.06_14:23:56_TAI`, `2010-10-15T00:00:26.000`, `2009-01-31T08:03:02.462Z`,
    /// `20110402_204800_TAI`.
    ///
    /// The date's parts are separated by `.`, `-`, `/` or nothing, date and time by `_`, `T` or a blank; seconds may be missing. Without `_TAI` the
    /// time is UTC.
    /// - Returns: nil for anything else, and for years before 1970, by which archives mark a missing time.
    public init?(_ text: String) {
        let pattern = /^\s*(\d{4})[.\-\/]?(\d{2})[.\-\/]?(\d{2})[_T ](\d{2}):?(\d{2})(?::?(\d{2}(?:\.\d*)?))?(?:_?(TAI|UTC|UT|Z))?\s*$/
        guard let match = text.wholeMatch(of: pattern), let year = Int(match.1), let month = Int(match.2), let day = Int(match.3),
            let hour = Int(match.4), let minute = Int(match.5), let second = Double(match.6 ?? "0"),
            year >= 1970, (1...12).contains(month), hour < 24, minute < 60, second < 61
        else { return nil }
        let days = ObservationTime.days(year: year, month: month, day: day)
        guard ObservationTime.civil(days: days) == (year, month, day) else { return nil }
        let seconds = Double(days * 86400 + hour * 3600 + minute * 60) + second
        taiSeconds = match.7 == "TAI" ? seconds : seconds + ObservationTime.leapSeconds(atUTC: Double(days) * 86400)
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
