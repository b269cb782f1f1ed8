import Foundation
import Groundwork
import SolarImage

/// The MDI files that HMI's are paired with, matched once for all by their headers.
package struct MatchedPairs: Sendable {
    /// MDI's files that are paired with none.
    package let unmatched: [MagnetogramPairMatching.Unmatched]
    private let partners: [URL: URL]
    private let others: [URL: MagnetogramPairMatching.Unmatched]

    /// Nil unless the options ask for matched pairs.
    /// - Throws: `Failure`: `.missingInput` if there is no folder of MDI's files, `.badData` if it cannot be read or holds no FITS file.
    init?(_ options: PreparationOptions, files: [URL]) throws {
        guard case .matched(let folder, let minutes) = options.lowResolution else { return nil }
        // The two may lie in one folder.
        let own = Set(files.map { $0.resolvingSymlinksInPath().path })
        let low = try fitsFiles(in: folder).filter { !own.contains($0.resolvingSymlinksInPath().path) }
        guard !low.isEmpty else { throw Failure(.badData, "the folder holds no FITS file to pair with", at: folder.path) }
        let matching = MagnetogramPairMatching(high: files, low: low, limit: minutes, qualityMask: options.qualityMask)
        partners = Dictionary(uniqueKeysWithValues: matching.matches.map { ($0.high, $0.low) })
        others = Dictionary(matching.unmatchedHigh.map { ($0.url, $0) }) { first, _ in first }
        unmatched = matching.unmatchedLow
    }

    /// The file to pair with.
    /// - Throws: ``Unpaired`` if there is none; `Failure` (`.badData`) if something is wrong with the file itself.
    func partner(of file: URL) throws -> URL {
        if let partner = partners[file] { return partner }
        if let failure = others[file]?.failure { throw failure }
        throw Unpaired(others[file]?.reason ?? "there is no file to pair it with")
    }
}
