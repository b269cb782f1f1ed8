import Foundation
import SolarImage

extension Preparation {
    /// What was found and what will be made of it, as text for a terminal.
    package var report: String {
        let (sources, rejections) = (survey.sources, survey.rejections)
        var lines = ["\(sources.count + rejections.count) files: \(sources.count) to prepare, \(rejections.count) left out"]
        if !sources.isEmpty { lines += description(of: sources) + [""] + splitTable }
        if !split.leftOut.isEmpty {
            let reasons = Dictionary(grouping: split.leftOut.values) { $0 }.map { ($0.key, $0.value.count) }.sorted { (-$0.1, $0.0) < (-$1.1, $1.0) }
            lines += ["", "crops left out"] + reasons.prefix(20).map { "  \($0.1): \($0.0)" }
            if reasons.count > 20 { lines.append("  \(reasons.dropFirst(20).reduce(0) { $0 + $1.1 }) for other reasons") }
        }
        if !rejections.isEmpty { lines += ["", "left out"] + rejections.map { "  \($0.url.path): \($0.reason)" } }
        return lines.joined(separator: "\n")
    }

    private func description(of sources: [PreparationSource]) -> [String] {
        func counts(_ names: [String]) -> String {
            Dictionary(grouping: names) { $0 }.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.count)" }.joined(separator: ", ")
        }
        func untold(_ known: Int) -> String { known < sources.count ? "; unknown for \(sources.count - known)" : "" }
        let scales = sources.compactMap(\.arcsecPerPixel).sorted()
        let times = sources.compactMap(\.time).sorted()
        let sizes = sources.sorted { ($0.width * $0.height, $0.width) < ($1.width * $1.height, $1.width) }
        let range = scales.first.flatMap { first in scales.last.map { String(format: "%.4g … %.4g arcsec", first, $0) } }
        let span = times.first.flatMap { first in times.last.map { "\(first.description.prefix(10)) … \($0.description.prefix(10))" } }
        let size = sizes.first.flatMap { first in sizes.last.map { "\(first.width) × \(first.height) … \($0.width) × \($0.height)" } }
        // One name for a region, though its maps may know several; of a full disk all.
        let shownRegions = sources.map { source in source.regions.first.map { [$0] } ?? source.crops.flatMap(\.regions) }
        let regions = Dictionary(grouping: shownRegions.flatMap(\.self)) { $0 }.sorted { $0.key < $1.key }
        let shown = regions.prefix(40).map { "\($0.key) (\($0.value.count))" } + (regions.count > 40 ? ["and \(regions.count - 40) more"] : [])
        let known = shownRegions.count { !$0.isEmpty }
        let pairs = sources.flatMap { $0.crops.compactMap(\.pair) }
        func spread(_ name: String, _ values: [Double?]) -> String? {
            let values = values.compactMap(\.self).sorted()
            guard let least = values.first, let greatest = values.last else { return nil }
            return String(format: "\(name) %.3f … %.3f, median %.3f", least, greatest, values[(values.count - 1) / 2])
        }
        let figures = [
            spread("correlation", pairs.map(\.correlation)), spread("slope of MDI on HMI", pairs.map(\.slope)),
            spread("slope of means", pairs.map(\.slopeOfMeans)), spread("shift in x", pairs.map { $0.shift?.first }),
            spread("shift in y (HR pixels)", pairs.map { $0.shift?.last }),
        ].compactMap(\.self)
        let pairLines = pairs.isEmpty ? [] : ["pairs        \(pairs.count)"] + figures.map { "             \($0)" }
        return [
            "instruments  \(counts(sources.map(\.instrument.name)))",
            "pixels       \(range ?? "of unknown scale")\(range == nil ? "" : untold(scales.count))",
            "sizes        \(size ?? "") pixels",
            "times        \(span ?? "unknown")\(span == nil ? "" : untold(times.count))",
            "regions      \(regions.count)\(untold(known))\(regions.isEmpty ? "" : ": ")\(shown.joined(separator: ", "))",
        ] + pairLines
    }

    private var splitTable: [String] {
        func pixels(_ item: Int) -> Int { survey.sources[split.items[item].source].crops[split.items[item].crop].pixels }
        let kept = split.groups.map { $0.filter { split.leftOut[$0] == nil } }
        let total = max(1, kept.joined().reduce(0) { $0 + pixels($1) })
        let unit = options.splitBy == .region ? "regions apart" : options.splitBy == .month ? "months apart" : "file by file"
        func row(_ cells: [String]) -> String {
            cells.enumerated().map { index, cell in
                let blanks = String(repeating: " ", count: max(0, 12 - cell.count))
                return index == 0 ? cell + blanks : blanks + cell
            }.joined()
        }
        let rows = PreparationPart.allCases.map { part in
            let groups = zip(kept, split.parts).filter { $0.1 == part && !$0.0.isEmpty }.map(\.0)
            let items = groups.flatMap(\.self), own = items.reduce(0) { $0 + pixels($1) }
            return row([
                part.rawValue, "\(groups.count)", "\(Set(items.map { split.items[$0].source }).count)", "\(items.count)", "\(own)",
                String(format: "%.1f %%", 100 * Double(own) / Double(total)),
            ])
        }
        return ["split, \(unit), seed \(options.seed)", row(["part", "groups", "files", "crops", "pixels", "share"])] + rows
    }
}
