import Foundation

/// Changes of the pixel grid, in double precision, so that any point keeps its coordinates.
///
/// A change of resolution shifts by an offset in old pixels, then makes pixels `scale` times finer: a FITS pixel coordinate c (from 1, centres at
/// integers) becomes (c − ½ − offset)·scale + ½. A turn by 180° makes N + 1 − c of it, N being the number of pixels along the axis.
extension FITSHeader {
    /// The grid of an image refined `factor` times in each direction.
    public mutating func refineGrid(by factor: Int) { changeGrid(offset: .zero, scale: Double(factor)) }

    /// The grid of an image whose blocks of `factor` × `factor` pixels, from the first pixel on, became one.
    public mutating func binGrid(by factor: Int) { changeGrid(offset: .zero, scale: 1 / Double(factor)) }

    /// The grid of the part of an image that begins at column `x` and row `y`, counted from 0.
    public mutating func cropGrid(x: Int, y: Int) { changeGrid(offset: SIMD2(Double(x), Double(y)), scale: 1) }

    /// The grid of an image of `width` × `height` pixels both of whose axes were reversed. No direction on the sky changes: the matrix (`PCi_j`, `CDi_j`,
    /// `CROTA2` or early MDI's `SOLAR_P0`) turns by 180°, the centre of the image keeps its coordinates.
    public mutating func turnGrid(width: Int, height: Int) {
        let disk = PixelGrid(self)?.disk, positions = positions
        let lengths = SIMD2(Double(width), Double(height))
        if (try? GridKeywords(header: self, location: nil).earlyRoll()) != nil {
            for keyword in ["SOLAR_P0", "SOLAR_P"] { if let angle = real(keyword) { set(keyword, .real(FITSHeader.turned(angle))) } }
            // CRVALn counts along the axes of the image there.
            for keyword in ["CRVAL1", "CRVAL2"] { if let value = real(keyword) { set(keyword, .real(-value)) } }
        } else {
            turnMatrix("", angle: true)
        }
        let descriptions = descriptions
        for alternative in descriptions where !alternative.isEmpty { turnMatrix(alternative, angle: false) }
        for alternative in descriptions {
            for axis in 0...1 {
                let reference = "CRPIX\(axis + 1)" + alternative
                // What is there but is no number stays as it is, for the next reader to refuse.
                if !contains(reference) || real(reference) != nil { set(reference, .real(lengths[axis] + 1 - (real(reference) ?? 0))) }
            }
        }
        change(positions, disk) { position, axis in lengths[axis] - 1 - position }
    }

    /// The grid of images of this grid one behind the other: a third axis that counts them from 1 and is no direction on the sky.
    /// - Parameter name: what is counted, as `CTYPE3` has it: upper case without a hyphen, such as `SAMPLE`.
    public mutating func stackGrid(_ name: String) {
        let ofOtherAxes = /((CTYPE|CUNIT|CRPIX|CRVAL|CDELT|CROTA|CNAME|CRDER|CSYER)[3-9]|(PC|CD)([3-9]_\d|\d_[3-9])|P[VS][3-9]_\d+)[A-Z]?/
        for card in cards where card.keyword.wholeMatch(of: ofOtherAxes) != nil { remove(card.keyword) }
        for alternative in Set(descriptions + [""]).sorted() {
            if contains("WCSAXES" + alternative) { set("WCSAXES" + alternative, .integer(3)) }
            set("CTYPE3" + alternative, .string(name))
            for keyword in ["CRPIX3", "CRVAL3", "CDELT3"] { set(keyword + alternative, .real(1)) }
            // Absent elements of PCi_j are those of the unit matrix, absent elements of CDi_j are 0.
            if ["CD1_1", "CD1_2", "CD2_1", "CD2_2"].contains(where: { contains($0 + alternative) }) { set("CD3_3" + alternative, .real(1)) }
        }
    }

    /// Turns the matrix of one description; where there is none, by `CROTA2` if that is allowed, else by `PCi_i`.
    private mutating func turnMatrix(_ alternative: String, angle: Bool) {
        let rotation = ["PC1_1", "PC1_2", "PC2_1", "PC2_2"].map { $0 + alternative },
            full = ["CD1_1", "CD1_2", "CD2_1", "CD2_2"].map { $0 + alternative }
        let hasRotation = rotation.contains { contains($0) }, hasFull = full.contains { contains($0) }
        if hasRotation || (!hasFull && !angle) {
            // Absent elements are those of the unit matrix.
            for keyword in [rotation[0], rotation[3]] where !contains(keyword) { set(keyword, .real(1)) }
        }
        for keyword in rotation + full { if let value = real(keyword) { set(keyword, .real(value == 0 ? 0 : -value)) } }
        if angle, contains("CROTA2") ? real("CROTA2") != nil : !hasRotation && !hasFull {
            set("CROTA2", .real(FITSHeader.turned(real("CROTA2") ?? 0)))
        }
    }

    /// An angle in degrees half a turn further.
    private static func turned(_ angle: Double) -> Double { angle > 0 ? angle - 180 : angle + 180 }

    /// What instruments state about the grid besides the world coordinates. MDI: image scale, centre and radius of the fitted limb, radius of the
    /// crop; HMI: `IMSCL_MP`; Mount Wilson: `R0`, `DXB_IMG`, `DYB_IMG`.
    private static let scales = ["IMSCL_MP", "XSCALE", "YSCALE", "FD_SCALE", "IM_SCALE", "DXB_IMG", "DYB_IMG"]
    private static let radii = ["R_SUN", "CROP_RAD", "DPC_CROP", "FNDLMBMI", "FNDLMBMA", "R0"]
    /// Positions with the number that the first pixel's centre has: 0 for MDI's `X0`, unless it is a copy of `CRPIX1`.
    private var positions: [(keyword: String, axis: Int, origin: Double)] {
        func origin(_ keyword: String, _ reference: String) -> Double { real(keyword) == real(reference) ? 1 : 0 }
        return [
            ("X0", 0, origin("X0", "CRPIX1")), ("Y0", 1, origin("Y0", "CRPIX2")), ("MDI_X0", 0, 0), ("MDI_Y0", 1, 0), ("CENTER_X", 0, 1),
            ("CENTER_Y", 1, 1), ("FNDLMBXC", 0, 1), ("FNDLMBYC", 1, 1),
        ]
    }

    private mutating func changeGrid(offset: SIMD2<Double>, scale: Double) {
        let before = PixelGrid(self), positions = positions
        changeWorldCoordinates(offset: offset, scale: scale)
        let disk = before?.disk

        // Someone who rebinned the image earlier may have left these as they were; a value that contradicts the coordinates is worse than none.
        func agrees(_ value: Double, _ expected: Double?) -> Bool { expected.map { abs(value - $0) <= 0.1 * abs($0) } ?? true }
        for keyword in FITSHeader.scales {
            if let value = real(keyword) { setOrRemove(keyword, agrees(value, before?.arcsecPerPixel) ? value / scale : nil) }
        }
        for keyword in FITSHeader.radii {
            if let value = real(keyword) {
                setOrRemove(keyword, agrees(value, disk?.radius) ? value * scale : keyword == "R_SUN" ? disk.map { $0.radius * scale } : nil)
            }
        }
        change(positions, disk) { position, axis in (position + 0.5 - offset[axis]) * scale - 0.5 }
        if offset != .zero { for keyword in ["XCEN", "YCEN"] { remove(keyword) } }  // the coordinates of the old centre
    }

    /// Gives keywords with positions in pixels what `change` makes of them, counted from 0; those that contradict the disk go.
    private mutating func change(
        _ positions: [(keyword: String, axis: Int, origin: Double)], _ disk: (centre: SIMD2<Double>, radius: Double)?,
        _ change: (_ position: Double, _ axis: Int) -> Double
    ) {
        for (keyword, axis, origin) in positions {
            guard let value = real(keyword) else { continue }
            let isSunCentre = keyword == "X0" || keyword == "Y0"
            let old = disk.map { $0.centre[axis] }
            let position = old.map { abs(value - origin - $0) <= 2 } ?? true ? value - origin : isSunCentre ? old : nil
            setOrRemove(keyword, position.map { change($0, axis) + origin })
        }
    }

    private mutating func setOrRemove(_ keyword: String, _ value: Double?) {
        if let value { set(keyword, .real(value)) } else { remove(keyword) }
    }

    /// `CRPIXn`, `CDELTn` and `CDi_j` of the primary and all alternative descriptions; `PCi_j` does not change.
    private mutating func changeWorldCoordinates(offset: SIMD2<Double>, scale: Double) {
        for alternative in descriptions {
            let hasMatrix = contains("CD1_1" + alternative) || contains("CD1_2" + alternative)
            for axis in 0...1 {
                let reference = "CRPIX\(axis + 1)" + alternative, increment = "CDELT\(axis + 1)" + alternative
                // What is there but is no number stays as it is, for the next reader to refuse.
                if !contains(reference) || real(reference) != nil {
                    set(reference, .real(((real(reference) ?? 0) - 0.5 - offset[axis]) * scale + 0.5))
                }
                // Absent values mean 0; fitsverify wants them written.
                if contains("CTYPE\(axis + 1)" + alternative), !contains("CRVAL\(axis + 1)" + alternative) {
                    set("CRVAL\(axis + 1)" + alternative, .real(0))
                }
                // Absent increments mean 1 unless there is a CD matrix, beside which they mean nothing.
                if scale != 1, contains(increment) ? real(increment) != nil : !hasMatrix { set(increment, .real((real(increment) ?? 1) / scale)) }
                for keyword in ["CD\(axis + 1)_1" + alternative, "CD\(axis + 1)_2" + alternative] {
                    if scale != 1, let value = real(keyword) { set(keyword, .real(value / scale)) }
                }
            }
        }
    }

    /// What the keywords of each description of the grid end with: nothing for the primary one, a letter for alternative ones.
    private var descriptions: [String] {
        let stems: Set<Substring> = ["CRPIX1", "CDELT1", "CD1_1", "CD1_2", "CTYPE1", "CRVAL1"]
        var found: Set<String> = []
        for card in cards {
            if stems.contains(Substring(card.keyword)) { found.insert("") }
            if let last = card.keyword.last, last.isLetter, stems.contains(card.keyword.dropLast()) { found.insert(String(last)) }
        }
        return found.sorted()
    }
}
