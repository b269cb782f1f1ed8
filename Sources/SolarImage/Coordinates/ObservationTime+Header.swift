import Foundation

extension ObservationTime {
    /// The time that a header tells: of the middle of the exposure where it has that (`T_OBS`, `DATE-AVG`, `MJD-AVG`), else of the nearest slot of its series
    /// (`T_REC`), else of its begin (`DATE-OBS` or `DATE_OBS`, with `TIME-OBS` or `TIME_OBS` where it is a date alone, `DATE-BEG`, `MJD-OBS`, `MJD-BEG`).
    ///
    /// Times that do not name their scale are in that of `TIMESYS` (FITS Standard 4.0, section 9.2.1), without it in UTC.
    /// - Returns: nil where no keyword holds a time that can be read.
    public init?(_ header: FITSHeader) {
        let scale = header.string("TIMESYS").map { Scale($0) } ?? .utc
        func day(_ keyword: String) -> ObservationTime? { header.real(keyword).flatMap { ObservationTime(modifiedJulianDate: $0, scale) } }
        func text(_ keyword: String, _ clocks: String...) -> ObservationTime? {
            guard let date = header.string(keyword) else { return nil }
            return ObservationTime(date, scale)
                ?? clocks.lazy.compactMap { header.string($0) }.compactMap { ObservationTime("\(date) \($0)", scale) }.first
        }
        guard
            let time = text("T_OBS") ?? text("DATE-AVG") ?? day("MJD-AVG") ?? text("T_REC") ?? text("DATE-OBS", "TIME-OBS", "TIME_OBS")
                ?? text("DATE_OBS", "TIME_OBS", "TIME-OBS") ?? text("DATE-BEG") ?? day("MJD-OBS") ?? day("MJD-BEG")
        else { return nil }
        self = time
    }
}
