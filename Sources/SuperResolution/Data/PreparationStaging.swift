import Foundation
import Groundwork
import SolarImage
import Synchronization

/// Crops on their way: a hidden folder inside the output, with a journal of the files that were read, so that an interrupted run can go on.
///
/// Crops are written there without waiting for the disk; a line of the journal follows them.
package final class PreparationStaging: Sendable {
    package let url: URL
    /// Those whose crops are there from an earlier run, by number.
    package let finished: [Int: PreparationSource]
    private let files: [URL]
    private let journal: Mutex<FileHandle>

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
        self.files = files
        let path = Self.journal(in: url)
        let head = Head(
            program: programVersion, configuration: options.yaml(inputs: []), regions: try options.regions.map { try sha256(of: $0) },
            files: files.map(\.path))
        if startsAnew { try Self.remove(url) }
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n")
        if let first = lines.first, let old = try? JSONDecoder().decode(Head.self, from: Data(first.utf8)) {
            if let (was, now) = Self.difference(old, head) {
                throw Failure(
                    .cannotWrite, "the folder holds an unfinished run that was not begun with these options and inputs", at: output.path,
                    expected: was, found: now, remedy: "give the same to go on with it, or add --overwrite to start anew")
            }
            finished = Self.finished(lines.dropFirst(), files: files, in: url)
        } else {
            try Self.remove(url)
            try createFolder(url)
            try writeAtomically(try jsonText(head) + "\n", to: path)
            finished = [:]
        }
        guard let handle = FileHandle(forUpdatingAtPath: path.path), let end = try? handle.seekToEnd() else {
            throw Failure(.cannotWrite, "cannot be written", at: path.path)
        }
        // What was cut off when the run was ended is no line, and must not become a part of the next.
        if end > 0, !text.hasSuffix("\n") { try? handle.write(contentsOf: Data("\n".utf8)) }
        journal = Mutex(handle)
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

    private static func finished(_ lines: some Sequence<Substring>, files: [URL], in folder: URL) -> [Int: PreparationSource] {
        var finished: [Int: PreparationSource] = [:]
        for text in lines {
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(text.utf8)), files.indices.contains(line.source.number),
                let state = state(of: files[line.source.number]), state == (line.size, line.modified),
                line.source.crops.indices.allSatisfy({ index in
                    ["fits", "histogram"].allSatisfy { exists(folder.appendingPathComponent(name(line.source.number, index, $0))) }
                })
            else { continue }
            finished[line.source.number] = line.source
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
        Self.beginToStore(file(source, index, "fits"))
        histogram.clear()
        histogram.add(crop.map.image)
        try write(histogram.data, to: file(source, index, "histogram"))
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

    /// Has the disk take a file without waiting for it, so that not all is left for the end.
    private static func beginToStore(_ file: URL) {
        #if os(Linux)
            let descriptor = open(file.path, O_RDONLY)
            guard descriptor >= 0 else { return }
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            close(descriptor)
        #endif
    }

    /// Foundation would wait for the disk.
    private func write(_ data: Data, to file: URL) throws {
        let stream = fopen(file.path, "w")
        let count = data.withUnsafeBytes { bytes in stream.map { fwrite(bytes.baseAddress, 1, bytes.count, $0) } }
        guard let stream, fclose(stream) == 0, count == data.count else {
            throw Failure(.cannotWrite, "cannot be written", at: file.path, found: String(cString: strerror(errno)))
        }
    }

    /// Notes that all crops of a source are there. Safe to call from several threads.
    func note(_ source: PreparationSource) throws {
        guard let (size, modified) = Self.state(of: source.url) else { return }
        let text = try jsonText(Line(source: source, size: size, modified: modified)) + "\n"
        do {
            try journal.withLock { try $0.write(contentsOf: Data(text.utf8)) }
        } catch {
            throw Failure(.cannotWrite, "cannot be written", at: Self.journal(in: url).path, found: error.localizedDescription)
        }
    }

    /// Removes the folder.
    package func discard() { try? FileManager.default.removeItem(at: url) }
}
