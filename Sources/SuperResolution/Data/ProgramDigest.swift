import Foundation
import Groundwork

/// The SHA-256 of the running program with the weights of LPIPS that it brings: two builds that may compute differently have two. Models are known by
/// digests of their own.
/// - Throws: `Failure` if a file cannot be read.
package func programDigest() throws -> String { try digest.get() }

private let digest = Result {
    guard let program = Bundle.main.executableURL else { throw Failure(.other, "the file of the running program cannot be found") }
    let digests = try [program, PerceptualDistance.bundledWeights].map { try sha256(of: $0) }.joined()
    return try sha256(ofText: digests)
}
