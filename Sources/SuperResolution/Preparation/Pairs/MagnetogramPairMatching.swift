import Foundation
import Groundwork
import SolarImage

/// Which HMI and MDI magnetograms show the Sun at about one time, by their headers alone.
package struct MagnetogramPairMatching: Sendable {
    package struct Match: Sendable, Equatable {
        /// Of HMI.
        package let high: URL
        /// Of MDI.
        package let low: URL
        /// By how much HMI's exposure is later than MDI's; negative if it is earlier.
        package let minutes: Double
    }

    /// A file that has no partner.
    package struct Unmatched: Sendable {
        package let url: URL
        package let reason: String
        /// What is wrong with the file; nil if it is sound.
        package let failure: Failure?
    }

    /// In the order of the HMI files given.
    package private(set) var matches: [Match] = []
    /// HMI and MDI files without a partner, each in the order given.
    package private(set) var unmatchedHigh: [Unmatched] = [], unmatchedLow: [Unmatched] = []

    /// Pairs each HMI file with the MDI file nearest in time of which it is in turn the nearest, so that no file stands in two pairs. Of several
    /// equally near, the earlier in time counts as nearer, then the one given first.
    ///
    /// Times are the middles of exposures (`T_OBS`, else as ``Magnetogram/init(reading:)`` has it). Files of another instrument (but not those whose
    /// header does not tell it), without a time, or with bits of `QUALITY` that mark them as unfit, are left out beforehand.
    /// - Parameters:
    ///   - limit: the greatest difference in minutes.
    ///   - qualityMask: bits of `QUALITY` that make a file unfit besides the instruments' own.
    package init(high: [URL], low: [URL], limit: Double, qualityMask: UInt32 = 0) {
        let (highs, lows) = (
            high.map { Candidate($0, isReference: true, qualityMask: qualityMask) },
            low.map { Candidate($0, isReference: false, qualityMask: qualityMask) }
        )
        let (highTimes, lowTimes) = (Timeline(highs), Timeline(lows))
        let nearestLow = highs.map { $0.time.flatMap(lowTimes.nearest) }, nearestHigh = lows.map { $0.time.flatMap(highTimes.nearest) }
        func isPair(_ high: Int, _ low: Int) -> Bool {
            guard nearestLow[high] == low, nearestHigh[low] == high, let minutes = highs[high].minutes(after: lows[low]) else { return false }
            return abs(minutes) <= limit
        }
        for (index, candidate) in highs.enumerated() {
            if let partner = nearestLow[index], isPair(index, partner), let minutes = candidate.minutes(after: lows[partner]) {
                matches.append(Match(high: candidate.url, low: lows[partner].url, minutes: minutes))
            } else {
                unmatchedHigh.append(candidate.unmatched(nearest: nearestLow[index].map { lows[$0] }, limit: limit))
            }
        }
        for (index, candidate) in lows.enumerated() {
            if let partner = nearestHigh[index], isPair(partner, index) { continue }
            unmatchedLow.append(candidate.unmatched(nearest: nearestHigh[index].map { highs[$0] }, limit: limit))
        }
    }
}

extension MagnetogramPairMatching {
    /// A file with what its header tells.
    private struct Candidate {
        let url: URL
        /// Whether it is to be of HMI, rather than of another instrument.
        let isReference: Bool
        /// Nil for a file that cannot be paired.
        var time: ObservationTime?
        /// Why it cannot.
        var obstacle: String?
        var failure: Failure?

        init(_ url: URL, isReference: Bool, qualityMask: UInt32) {
            self.url = url
            self.isReference = isReference
            do {
                let file = try MagnetogramFile(reading: url)
                let quality = file.header.quality ?? 0, unfit = quality & (file.instrument.unfitQualityBits | qualityMask)
                if isReference, file.instrument.isOther {
                    obstacle = "it is of \(file.instrument), not of \(Instrument.reference)"
                } else if !isReference, file.instrument == .reference {
                    obstacle = "it is of \(file.instrument), as those that it would be paired with"
                } else if unfit != 0 {
                    obstacle = "QUALITY \(quality.hexadecimal) has bits that mark it as unfit: \(unfit.hexadecimal)"
                } else {
                    time = file.time
                    if time == nil { obstacle = "neither its header nor its name tells the time of observation" }
                }
            } catch let failure as Failure {
                self.failure = failure
            } catch {
                failure = Failure(.badData, "cannot be read", at: url.path, found: "\(error)")
            }
        }

        func minutes(after other: Candidate) -> Double? {
            guard let time, let start = other.time else { return nil }
            return (time.taiSeconds - start.taiSeconds) / 60
        }

        func unmatched(nearest: Candidate?, limit: Double) -> Unmatched {
            if let failure {
                var text = failure
                text.location = nil
                return Unmatched(url: url, reason: text.description, failure: failure)
            }
            if let obstacle { return Unmatched(url: url, reason: obstacle, failure: nil) }
            let other = isReference ? "another instrument" : Instrument.reference.name
            guard let nearest, let minutes = nearest.minutes(after: self) else {
                return Unmatched(url: url, reason: "there is no file of \(other) to pair it with", failure: nil)
            }
            let (file, distance) = ("the nearest file of \(other)", String(format: "%.1f minutes away", abs(minutes)))
            let fault = abs(minutes) > limit ? "is \(distance), more than \(String(format: "%g", limit))" : "is \(distance) and has a nearer one"
            let reason = "\(file) \(fault): \(nearest.url.lastPathComponent)"
            return Unmatched(url: url, reason: reason, failure: nil)
        }
    }

    /// The files with a time, in its order.
    private struct Timeline {
        private let entries: [(seconds: Double, index: Int)]

        init(_ candidates: [Candidate]) {
            entries = candidates.enumerated().compactMap { index, candidate in candidate.time.map { ($0.taiSeconds, index) } }.sorted { $0 < $1 }
        }

        /// Of several at one time, the one given first.
        func nearest(to time: ObservationTime) -> Int? {
            let later = first(from: time.taiSeconds)
            guard later > 0 else { return entries.first?.index }
            let earlier = entries[first(from: entries[later - 1].seconds)]
            guard later < entries.count else { return earlier.index }
            return time.taiSeconds - earlier.seconds <= entries[later].seconds - time.taiSeconds ? earlier.index : entries[later].index
        }

        /// The place of the first that is not before.
        private func first(from seconds: Double) -> Int {
            var (low, high) = (0, entries.count)
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].seconds < seconds { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }
}
