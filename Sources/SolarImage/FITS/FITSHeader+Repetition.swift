import Foundation
import Groundwork

extension FITSHeader {
    /// The header with each keyword once, but for commentary: of several cards the first counts.
    ///
    /// Which card counts is not settled: astropy's headers take the first, wcslib the last. So cards by which pixels are placed, scaled, dated or ascribed
    /// to an instrument must say the same.
    /// - Parameter location: the file, for messages.
    /// - Throws: `Failure` (`.badData`) that names such a keyword and the values it is given.
    package func withoutRepetition(at location: String) throws -> FITSHeader {
        var keys = Set<UInt64>(minimumCapacity: cards.count)
        // Most headers have none.
        let mayRepeat = cards.indices.contains { place in
            (cards[place].isLong || !keys.insert(cards[place].key).inserted) && !cards[place].isCommentary
        }
        guard mayRepeat else { return self }
        var first: [String: FITSCard] = [:]
        return FITSHeader(
            try cards.filter { card in
                guard !card.isCommentary, let earlier = first.updateValue(card, forKey: card.keyword) else { return true }
                first[card.keyword] = earlier
                guard earlier.value.says(card.value) || !FITSHeader.isDecisive(card.keyword) else {
                    throw Failure(
                        .badData, "contradictory keywords", at: "\(location), \(card.keyword)", expected: "one value",
                        found: "\(earlier.value.text) and \(card.value.text)", remedy: "remove the card that is wrong")
                }
                return false
            })
    }

    private static func isDecisive(_ keyword: String) -> Bool {
        decisive.contains(keyword) || GridKeywords.isDistortion(keyword)
            || keyword.wholeMatch(of: /((CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CROTA)\d|(PC|CD)\d_\d|P[VS]\d_\d+|(LON|LAT)POLE|WCSAXES)[A-Z]?/) != nil
    }

    /// Keywords of the pixels, of the instrument, of the time, and of where the Sun is and how large; those of the grid have numbers.
    private static let decisive: Set<String> = [
        "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "BUNIT", "_BUNIT", "BSCALE", "BZERO", "BLANK", "ZSCALE", "ZZERO", "ZBLANK", "QUALITY",
        "TELESCOP", "INSTRUME", "CAMERA", "CONTENT", "BLDVER18", "SENSADJ", "INTERVAL",
        "T_OBS", "T_REC", "TIMESYS", "DATE-OBS", "DATE_OBS", "TIME-OBS", "TIME_OBS", "DATE-AVG", "DATE-BEG", "MJD-OBS", "MJD-AVG", "MJD-BEG",
        "DSUN_OBS", "OBS_DIST", "RSUN_REF", "RSUN_OBS", "OBS_R0", "R_SUN", "CRLN_OBS", "CRLT_OBS", "HGLN_OBS", "HGLT_OBS", "OBS_L0", "OBS_B0",
        "SOLAR_P0", "SOLAR_P", "IM_SCALE",
    ]
}

extension FITSCard.Value {
    /// Whether two values are the same, however they are written.
    fileprivate func says(_ other: FITSCard.Value) -> Bool {
        switch (self, other) {
        case (.string(let a), .string(let b)): a.trimmingCharacters(in: .whitespaces) == b.trimmingCharacters(in: .whitespaces)
        case (.integer(let a), .real(let b)), (.real(let b), .integer(let a)): Double(a) == b
        default: self == other
        }
    }

    /// For messages.
    package var text: String {
        switch self {
        case .string(let text): "'\(text)'"
        case .real(let number): "\(number)"
        case .integer(let number): "\(number)"
        case .logical(let flag): flag ? "T" : "F"
        case .undefined: "nothing"
        }
    }
}
