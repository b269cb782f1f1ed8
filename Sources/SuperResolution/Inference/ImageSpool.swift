import Foundation
import Groundwork
import SolarImage

/// Images of one size, kept on disk in the order they came. Their file has no name, so that nothing of it is left however the program ends.
package final class ImageSpool {
    /// Images kept.
    package private(set) var count = 0
    private let width, height: Int
    private let descriptor: CInt
    /// What to name in messages.
    private let path: String

    private var bytesPerImage: Int { width * height * MemoryLayout<Float>.stride }

    /// - Parameter url: a file in the folder whose disk shall hold the images; named in messages.
    /// - Throws: `Failure` (`.cannotWrite`) if the folder cannot be written.
    package init(width: Int, height: Int, beside url: URL) throws {
        (self.width, self.height, path) = (width, height, url.path)
        let name = ".partial-images-\(UUID().uuidString)"
        let file = url.deletingLastPathComponent().appendingPathComponent(name).path
        descriptor = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ImageSpool.failure("cannot be written", at: path) }
        unlink(file)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// - Throws: `Failure` (`.cannotWrite`), as where the disk is full.
    /// - Precondition: the image has the size of the others.
    package func append(_ image: Image) throws {
        precondition(image.width == width && image.height == height, "an image of \(image.width) × \(image.height) among \(width) × \(height)")
        try image.pixels.withUnsafeBytes { bytes in
            try transfer(image: count) { pwrite(descriptor, bytes.baseAddress?.advanced(by: $0), bytes.count - $0, $1) }
        }
        count += 1
    }

    /// The image of that number from 0.
    /// - Throws: `Failure` (`.cannotWrite`) if it cannot be read back.
    package func image(at index: Int) throws -> Image {
        precondition((0..<count).contains(index), "image \(index) of \(count)")
        var image = Image(width: width, height: height, repeating: 0)
        try image.pixels.withUnsafeMutableBytes { bytes in
            try transfer(image: index) { pread(descriptor, bytes.baseAddress?.advanced(by: $0), bytes.count - $0, $1) }
        }
        return image
    }

    /// Moves an image's bytes, which the system may do in parts: `move` gets how many are done and the place in the file, and gives how many more are.
    private func transfer(image index: Int, _ move: (_ done: Int, _ place: off_t) -> Int) throws {
        var done = 0
        while done < bytesPerImage {
            let count = move(done, off_t(index * bytesPerImage + done))
            if count < 0, errno == EINTR { continue }
            if count == 0 { errno = EIO }  // a file that ends too early sets none
            guard count > 0 else { throw ImageSpool.failure("the samples cannot be kept", at: path) }
            done += count
        }
    }

    private static func failure(_ problem: String, at path: String) -> Failure {
        Failure(
            .cannotWrite, problem, at: path, found: String(cString: strerror(errno)),
            remedy: "check that the folder is writable and has space for the samples twice")
    }
}
