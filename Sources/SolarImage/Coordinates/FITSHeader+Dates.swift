import Foundation

extension FITSHeader {
    /// Writes dates as the FITS Standard has them (4.0, section 9.1.1): those of keywords beginning with `DATE` that archives wrote otherwise, as `2002/03/31`
    /// or `28-Jul-2009 17:41:00.00`. What the clock shows stays; a time that names a scale of its own, as `_TAI`, and what is no date stay as they are.
    package mutating func standardizeDates() {
        for card in cards where card.keyword.hasPrefix("DATE") {
            guard case .string(let text) = card.value, text.wholeMatch(of: /\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?Z?)?/) == nil,
                ObservationTime(text, nil) == nil
            else { continue }
            if let time = ObservationTime(text, .utc) {
                set(card.keyword, .string(String(time.description.dropLast())))
            } else if let midnight = ObservationTime("\(text) 00:00", .utc) {
                set(card.keyword, .string(String(midnight.description.prefix(10))))
            }
        }
    }
}
