import Foundation
import Groundwork
import SolarImage
import Synchronization

/// All inputs after one reading: which are taken and which not.
package struct PreparationSurvey: Sendable {
    package private(set) var sources: [PreparationSource] = []
    package private(set) var rejections: [PreparationRejection] = []
    /// Rows of the catalogue of active regions that were left out.
    package let warnings: [Failure]

    private struct State {
        var done: Int
        var findings: [Int: PreparationReader.Finding] = [:]
        /// Files that could not be read.
        var bad: [Int] = []
        /// What ends the run.
        var failure: Failure?
    }

    /// Reads every file once, several at a time, and decides where its crops are. The result depends neither on the number of threads nor on
    /// interruptions.
    /// - Parameters:
    ///   - staging: takes the crops, and has those of an earlier run that was interrupted, whose files are not read again; nil if crops are not wanted.
    ///   - report: called before each file with the number of files that are done, and its own; never twice at a time.
    ///   - isCancelled: asked before each file, never twice at a time.
    /// - Throws: `Failure`: `.interrupted` once `isCancelled` says so; `.cannotWrite`; what ``PreparationReader/init(_:)`` throws. Files that cannot be
    ///   used become ``rejections``.
    package init(
        of files: [URL], options: PreparationOptions, staging: PreparationStaging? = nil, report: (_ done: Int, _ number: Int) -> Void = { _, _ in },
        isCancelled: () -> Bool = { false }
    ) throws {
        let reader = try PreparationReader(options, files: files)
        warnings = reader.warnings
        let finished = staging?.finished ?? [:]
        let state = Mutex(State(done: finished.count))
        let workspaces = Mutex<[PreparationReader.Workspace]>([])

        func read(_ number: Int) throws -> PreparationReader.Finding {
            let workspace = workspaces.withLock { $0.popLast() } ?? PreparationReader.Workspace()
            defer { workspaces.withLock { $0.append(workspace) } }
            let picture = options.previews ? FITSName.stem(files[number].lastPathComponent) : nil
            let finding = try reader.read(files[number], number: number, in: workspace) { index, crop in
                try staging?.write(crop, source: number, index: index, histogram: &workspace.histogram, picture: picture)
            }
            if case .source(let source) = finding { try staging?.note(source) }
            return finding
        }
        func isBad(_ error: any Error) -> Bool { [.badData, .missingInput].contains((error as? Failure)?.category) }

        let pending = files.indices.filter { finished[$0] == nil }
        let work = { (index: Int) in
            let number = pending[index]
            let goesOn = state.withLock { state in
                if state.failure == nil, isCancelled() {
                    state.failure = Failure(
                        .interrupted, "interrupted after \(state.done) of \(files.count) files",
                        remedy: staging.map { _ in "run the same command again to go on" })
                }
                if state.failure == nil { report(state.done, number) }
                return state.failure == nil
            }
            guard goesOn else { return }
            let result = Result { try read(number) }
            state.withLock { state in
                state.done += 1
                switch result {
                case .success(let finding): state.findings[number] = finding
                case .failure(let error) where isBad(error): state.bad.append(number)
                case .failure(let error): state.failure = state.failure ?? error as? Failure ?? Failure(.other, "\(error)", at: files[number].path)
                }
            }
        }
        if FITSFile.allowsThreads { Parallel.forEach(pending.count, work) } else { pending.indices.forEach(work) }

        var (findings, bad, failure) = state.withLock { ($0.findings, $0.bad, $0.failure) }
        if let failure { throw failure }
        for number in bad.sorted() {
            // Once more and alone: cfitsio has one list of messages for all threads, so that those of two bad files may have got mixed.
            do {
                findings[number] = try read(number)
            } catch  where isBad(error) {
                failure = error as? Failure
                if let failure { rejections.append(PreparationRejection(number: number, url: files[number], failure: failure)) }
            }
        }
        var first: [String: URL] = [:]
        for (number, url) in files.enumerated() {
            switch finished[number].map(PreparationReader.Finding.source) ?? findings[number] {
            case .source(let source):
                if let first = first[source.sha256] {
                    rejections.append(PreparationRejection(number: number, url: url, reason: "the same file as \(first.path)"))
                } else {
                    first[source.sha256] = url
                    sources.append(source)
                }
            case .unwanted(let reason): rejections.append(PreparationRejection(number: number, url: url, reason: reason))
            case nil: break
            }
        }
        rejectOtherScales()
        // Files that only others' crops are made with have no numbers of their own.
        for (index, file) in reader.unmatched.enumerated() {
            let number = files.count + index
            rejections.append(
                file.failure.map { PreparationRejection(number: number, url: file.url, failure: $0) }
                    ?? PreparationRejection(number: number, url: file.url, reason: file.reason))
        }
        rejections.sort { $0.number < $1.number }
    }

    /// A network learns structure by the size of it in pixels, so all files must have pixels of about one size: within 10 % of the median, of two
    /// middle ones the finer. Files that do not tell are taken.
    private mutating func rejectOtherScales() {
        let scales = sources.compactMap(\.arcsecPerPixel).sorted()
        guard !scales.isEmpty else { return }
        let median = scales[(scales.count - 1) / 2]
        let isOther = { (source: PreparationSource) in source.arcsecPerPixel.map { abs($0 / median - 1) > 0.1 } ?? false }
        for source in sources where isOther(source) {
            let reason = String(
                format: "its pixels of %.3g arcsec differ by more than 10 %% from the %.3g arcsec of most files", source.arcsecPerPixel ?? 0, median)
            rejections.append(PreparationRejection(number: source.number, url: source.url, reason: reason))
        }
        sources.removeAll(where: isOther)
    }
}
