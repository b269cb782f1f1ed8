import Foundation

/// An active region, so that images of one region can be kept together.
public enum Region: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// A region followed by HMI over its disk passage (`HARPNUM`).
    case harp(Int)
    /// The same by MDI (`TARPNUM`); the numbers have nothing to do with those of HARPs.
    case tarp(Int)
    /// A region numbered by NOAA.
    case noaa(Int)

    /// `HARP 1447`, `TARP 13520`, `NOAA 11183`.
    public var description: String {
        switch self {
        case .harp(let number): "HARP \(number)"
        case .tarp(let number): "TARP \(number)"
        case .noaa(let number): "NOAA \(number)"
        }
    }

    /// All regions that a header and a file name tell of, the narrowest name (HARP, TARP) first; empty if none.
    ///
    /// Keywords are `HARPNUM`, `TARPNUM`, `NOAA_ARS` and `NOAA_AR`. File names are `…HARP1447…`, `…TARP13520…`, `…AR11183…`, `…NOAA11183…`,
    /// and those of JSOC exports: `hmi.sharp_cea_720s.1447.…`, `mdi.smarp_cea_96m.13520.…`.
    public static func regions(header: FITSHeader, fileName: String) -> [Region] {
        func positive(_ keyword: String) -> Int? { header.integer(keyword).flatMap { $0 > 0 ? $0 : nil } }
        var regions = [positive("HARPNUM").map(Region.harp), positive("TARPNUM").map(Region.tarp)].compactMap(\.self)
        let listed = (header.string("NOAA_ARS") ?? "").split { !$0.isNumber }.compactMap { Int($0) } + [positive("NOAA_AR")].compactMap(\.self)
        regions += listed.filter { $0 > 0 }.map(Region.noaa)

        // Names without these letters are told apart from the others much faster than by patterns.
        let letters = fileName.lowercased()
        for match in letters.contains("arp") ? fileName.matches(of: tracked) : [] {
            guard let number = Int(match.2) else { continue }
            let isTarp = match.1.uppercased().hasPrefix("TARP") || match.1.uppercased().hasPrefix("SMARP")
            regions.append(isTarp ? .tarp(number) : .harp(number))
        }
        if letters.contains("ar") || letters.contains("noaa") { regions += fileName.matches(of: numbered).compactMap { Int($0.1) }.map(Region.noaa) }
        return regions.enumerated().filter { index, region in !regions[..<index].contains(region) }.map(\.element)
    }

    // Made once, since that takes longer than to look for them. Matching changes nothing of them.
    private nonisolated(unsafe) static let tracked = /(?i)(?:^|[^A-Z])(HARP|TARP|SHARP_[^.]*\.|SMARP_[^.]*\.)[ _\-]?0*(\d{1,6})(?!\d)/
    private nonisolated(unsafe) static let numbered = /(?i)(?:^|[^A-Z])(?:NOAA|AR)[ _\-]?(?:AR)?0*(\d{4,5})(?!\d)/
}
