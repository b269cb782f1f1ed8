import ArgumentParser
import Foundation
import Groundwork
import SuperResolution

/// The root of the command line.
struct SR: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sr",
        abstract: "Super-resolves line-of-sight solar magnetograms four times, and says how well.",
        discussion: """
            From 2 arcsec a pixel (SOHO/MDI) to 0.5 arcsec (SDO/HMI), by diffusion: the systems of Ramunno et al. 2025 (A&A 698, A140), such as latent \
            diffusion with residuals, and CorrDiff (Mardani et al. 2025).

            Exit status: 0 success, 1 failure, 64 usage, 65 bad data, 66 no such input, 70 training diverged, \
            73 output exists or cannot be written, 78 configuration, 130 interrupted.
            """,
        version: programVersion,
        subcommands: [Prepare.self, Train.self, Finetune.self, Infer.self, Models.self, Evaluate.self])
}

@main
enum Main {
    static func main() {
        StandardStream.prepare()
        do {
            let arguments = try ConfigurationFile.expand(Array(CommandLine.arguments.dropFirst()))
            var command = try SR.parseAsRoot(arguments)
            try command.run()
            MPI.running?.finish()
        } catch let failure as Failure {
            end(with: failure)
        } catch {
            // Help and version are what was asked for; of usage errors the message is no product.
            let (status, message) = (SR.exitCode(for: error).rawValue, SR.fullMessage(for: error))
            if status != 0 {
                StandardStream.note("\(message)\n")
            } else if !message.isEmpty {
                do { try StandardStream.output("\(message)\n") } catch { end(with: error as? Failure ?? Failure(.cannotWrite, "\(error)")) }
            }
            Foundation.exit(status)
        }
    }

    private static func end(with failure: Failure) -> Never {
        Terminal.finishLine()
        guard let mpi = MPI.running else {
            StandardStream.note("sr: \(failure)\n")
            Foundation.exit(failure.category.exitStatus)
        }
        switch failure.category {
        case .interrupted, .diverged:
            // All ranks agree on it; one tells, and they end together, lest the launcher ends one that still writes.
            if mpi.rank == 0 { StandardStream.note("sr: \(failure)\n") }
            mpi.finish()
        case .usage, .badData, .missingInput, .cannotWrite, .configuration, .other:
            StandardStream.note("sr: rank \(mpi.rank): \(failure)\n")
            mpi.abort(failure.category.exitStatus)
        }
        Foundation.exit(failure.category.exitStatus)
    }
}

extension Failure.Category {
    /// The exit status, after BSD's sysexits where one fits.
    var exitStatus: CInt {
        switch self {
        case .other: 1
        case .usage: 64
        case .badData: 65
        case .missingInput: 66
        case .diverged: 70
        case .cannotWrite: 73
        case .configuration: 78
        case .interrupted: 130
        }
    }
}
