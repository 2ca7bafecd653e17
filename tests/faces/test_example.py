"""The real face that ships with the product."""

from fairsal_core.faces import align_face, decode_image, example_photo, find_faces, is_aligned


def test_there_is_one_face_in_it_and_it_can_be_aligned() -> None:
    photo = decode_image(example_photo(), "example")
    (face,) = find_faces(photo)
    assert not is_aligned(photo, face)
    aligned, outside = align_face(photo, face)
    assert aligned.size == (178, 218)
    assert outside.mean() < 0.15  # above the hair, where the photo ends
    (again,) = find_faces(aligned)
    assert is_aligned(aligned, again)
