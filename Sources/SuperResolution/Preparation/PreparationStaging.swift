import Foundation
import Groundwork
import SolarImage
import Synchronization

/// Crops on their way: a hidden folder inside the output, with a journal of the files that were read, so that an interrupted run can go on.
///
/// Crops are written there without waiting for the disk, their histograms into one file for all; a line of the journal follows them.
package final class PreparationStaging: Sendable {
    package let url: URL
    /// Those whose crops are there from an earlier run, by number.
    package let finished: [Int: PreparationSource]
    private let journal: Mutex<FileHandle>
    private let histograms: Mutex<Histograms>

    /// What must be the same for a run to go on.
    private struct Head: Codable, Equatable {
        var program: String
        var configuration: String
        /// Digests of the files of regions.
        var regions: [String]
        var files: [String]
    }

    private struct Line: Codable {
        var source: PreparationSource
        /// Of the file when it was read.
        var size: Int, modified: Double
        /// Of its crops.
        var histograms: [Piece]
    }

    /// A part of a file, in bytes.
    private struct Piece: Codable {
        var start: UInt64, count: Int
    }

    private struct Histograms {
        let file: FileHandle
        /// By the number of the source and that of the crop.
        var pieces: [Int: [Piece]] = [:]
    }

    package static let name = ".partial"

    private static func journal(in folder: URL) -> URL { folder.appendingPathComponent("journal.jsonl") }

    /// Whether an unfinished run left its crops in an output folder.
    package static func exists(in output: URL) -> Bool {
        exists(journal(in: output.appendingPathComponent(name)))
    }

    /// Begins a run, or goes on with the one that the folder has.
    /// - Parameter startsAnew: whether to throw away what the folder has.
    /// - Throws: `Failure` (`.cannotWrite`) if the folder has a run with other options or inputs, or cannot be written.
    package init(in output: URL, files: [URL], options: PreparationOptions, startsAnew: Bool) throws {
        url = output.appendingPathComponent(Self.name)
        let path = Self.journal(in: url), histogramPath = url.appendingPathComponent("histograms")
        let head = Head(
            program: programVersion, configuration: options.yaml(inputs: []), regions: try options.regions.map { try sha256(of: $0) },
            files: files.map(\.path))
        if startsAnew { try Self.remove(url) }
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        let lines = text.split { $0 == "\n" || $0 == "\r\n" }
        if let first = lines.first, let old = try? JSONDecoder().decode(Head.self, from: Data(first.utf8)) {
            if let (was, now) = Self.difference(old, head) {
                throw Failure(
                    .cannotWrite, "the folder holds an unfinished run that was not begun with these options and inputs", at: output.path,
                    expected: was, found: now, remedy: "give the same to go on with it, or add --overwrite to start anew")
            }
        } else {
            try Self.remove(url)
            try createFolder(url)
            try writeAtomically("", to: histogramPath)
            try writeAtomically(try jsonText(head) + "\n", to: path)
        }
        let (journal, histograms) = (try Self.append(to: path), try Self.append(to: histogramPath))
        let done = Self.finished(lines.dropFirst(), files: files, in: url, histogramBytes: histograms.end)
        finished = done.mapValues(\.source)
        // What was cut off when the run was ended is no line, and must not become a part of the next.
        if journal.end > 0, !text.isEmpty, !text.hasSuffix("\n") { try? journal.handle.write(contentsOf: Data("\n".utf8)) }
        self.journal = Mutex(journal.handle)
        self.histograms = Mutex(Histograms(file: histograms.handle, pieces: done.mapValues(\.histograms)))
    }

    private static func append(to file: URL) throws -> (handle: FileHandle, end: UInt64) {
        guard let handle = FileHandle(forUpdatingAtPath: file.path), let end = try? handle.seekToEnd() else {
            throw Failure(.cannotWrite, "cannot be written", at: file.path)
        }
        return (handle, end)
    }

    /// The first thing in which two runs differ.
    private static func difference(_ old: Head, _ new: Head) -> (was: String, now: String)? {
        func lines(_ head: Head) -> [String] {
            ["version \(head.program)"] + head.configuration.split(separator: "\n").dropFirst().map(String.init) + head.regions
                + ["\(head.files.count) files"] + head.files
        }
        if old == new { return nil }
        let (was, now) = (lines(old), lines(new))
        return zip(was, now).first { $0 != $1 } ?? ("\(was.count) settings", "\(now.count)")
    }

    private static func finished(
        _ lines: some Sequence<Substring>, files: [URL], in folder: URL, histogramBytes: UInt64
    ) -> [Int: Line] {
        var finished: [Int: Line] = [:]
        for text in lines {
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(text.utf8)), files.indices.contains(line.source.number),
                let state = state(of: files[line.source.number]), state == (line.size, line.modified),
                line.histograms.count == line.source.crops.count,
                line.histograms.allSatisfy({ $0.count >= 0 && $0.start <= histogramBytes && UInt64($0.count) <= histogramBytes - $0.start }),
                line.source.crops.indices.allSatisfy({ exists(folder.appendingPathComponent(name(line.source.number, $0, "fits"))) })
            else { continue }
            finished[line.source.number] = line
        }
        return finished
    }

    /// Size and time of the last change.
    private static func state(of file: URL) -> (Int, Double)? {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: file.resolvingSymlinksInPath().path),
            let size = attributes[.size] as? Int,
            let date = attributes[.modificationDate] as? Date
        else { return nil }
        return (size, date.timeIntervalSince1970)
    }

    private static func remove(_ folder: URL) throws {
        guard FileManager.default.fileExists(atPath: folder.path) else { return }
        do {
            try FileManager.default.removeItem(at: folder)
        } catch {
            throw Failure(.cannotWrite, "an unfinished run cannot be removed", at: folder.path, found: error.localizedDescription)
        }
    }

    private static func exists(_ file: URL) -> Bool { access(file.path, F_OK) == 0 }

    private static func name(_ source: Int, _ crop: Int, _ ending: String) -> String { "\(source)-\(crop).\(ending)" }

    /// A file that belongs to a crop: by the number of the source, of the crop in it, and an ending.
    func file(_ source: Int, _ crop: Int, _ ending: String) -> URL { url.appendingPathComponent(Self.name(source, crop, ending)) }

    /// Writes a crop, its histogram and, if asked for, its picture. Safe to call from several threads.
    func write(_ crop: PreparationReader.Crop, source: Int, index: Int, histogram: inout FieldHistogram, picture: String?) throws {
        try FITSWriter.create(
            crop.map.image, header: crop.map.header, extensions: crop.low.map { [("LR", $0.image, $0.header)] } ?? [], at: file(source, index, "fits")
        )
        histogram.clear()
        histogram.add(crop.map.image)
        let data = histogram.data
        try histograms.withLock { histograms in
            let start = try writing { try histograms.file.seekToEnd() }
            try writing { try histograms.file.write(contentsOf: data) }
            histograms.pieces[source] = (histograms.pieces[source] ?? []).prefix(index) + [Piece(start: start, count: data.count)]
        }
        if let picture {
            let low = crop.low.map { low in
                // On HMI's scale of Gauss, so that the two are alike.
                let factor = crop.description.pair?.factor ?? 1
                var shown = low
                shown.image.pixels = low.image.pixels.map { $0 / Float(factor) }
                return MagnetogramFigure.Panel(shown, title: String(format: "LR divided by %g", factor))
            }
            try MagnetogramFigure([.init(crop.map)] + [low].compactMap(\.self), title: picture).write(to: file(source, index, "png"), overwrite: true)
        }
    }

    /// The histogram of a crop that was written.
    func histogram(of source: Int, _ index: Int) throws -> Data {
        try histograms.withLock { histograms in
            let piece = histograms.pieces[source]?.dropFirst(index).first ?? Piece(start: 0, count: 0)
            try? histograms.file.seek(toOffset: piece.start)
            guard let data = try? histograms.file.read(upToCount: piece.count), data.count == piece.count else {
                throw Failure(
                    .cannotWrite, "an unfinished run is incomplete", at: url.path, expected: "a histogram of crop \(index) of file \(source)",
                    found: "none", remedy: "add --overwrite to start anew")
            }
            return data
        }
    }

    /// Notes that all crops of a source are there. Safe to call from several threads.
    func note(_ source: PreparationSource) throws {
        guard let (size, modified) = Self.state(of: source.url) else { return }
        let pieces = histograms.withLock { $0.pieces[source.number] ?? [] }
        let text = try jsonText(Line(source: source, size: size, modified: modified, histograms: pieces)) + "\n"
        try journal.withLock { journal in try writing { try journal.write(contentsOf: Data(text.utf8)) } }
    }

    private func writing<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            throw Failure(.cannotWrite, "cannot be written", at: url.path, found: error.localizedDescription)
        }
    }

    /// Removes the folder.
    package func discard() { try? FileManager.default.removeItem(at: url) }
}
