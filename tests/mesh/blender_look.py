# SPDX-License-Identifier: Apache-2.0
"""blender -b --python blender_look.py -- MESH PICTURE.png: imports MESH, prints its counts, size and
picture, renders what a camera at the origin sees along the panorama's front, and prints five pixels."""
import math
import os
import sys

import numpy

# Blender 3.4's glTF importer uses names that numpy has dropped since.
for name, kind in (("bool", bool), ("int", int), ("float", float), ("object", object)):
    if name not in numpy.__dict__:
        setattr(numpy, name, kind)

import bpy  # noqa: E402

mesh_file, picture_file = sys.argv[sys.argv.index("--") + 1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
extension = os.path.splitext(mesh_file)[1].lower()
if extension in (".glb", ".gltf"):
    bpy.ops.import_scene.gltf(filepath=mesh_file)
elif extension == ".fbx":
    bpy.ops.import_scene.fbx(filepath=mesh_file)
elif extension == ".obj":
    bpy.ops.wm.obj_import(filepath=mesh_file)

meshes = [o for o in bpy.data.objects if o.type == "MESH"]
assert len(meshes) == 1, meshes
shape = meshes[0]
bpy.context.view_layer.update()
corners = [shape.matrix_world @ vertex.co for vertex in shape.data.vertices]
spans = [max(c[k] for c in corners) - min(c[k] for c in corners) for k in range(3)]
print("RESULT triangles", sum(len(p.vertices) - 2 for p in shape.data.polygons))
print("RESULT size", *spans)

images = [i for i in bpy.data.images if i.size[0] > 0 and i.name != "Render Result"]
missing = [i.name for i in bpy.data.images if i.size[0] == 0 and i.name != "Render Result"]
assert len(images) == 1 and not missing, ([i.name for i in images], missing)
print("RESULT picture", *images[0].size)

# Lit materials are black inside a closed room: the picture they use is shown as light.
for material in bpy.data.materials:
    nodes = material.node_tree.nodes if material.use_nodes else []
    textures = [n for n in nodes if n.type == "TEX_IMAGE" and n.image is not None]
    if not textures:
        continue
    output = next(n for n in nodes if n.type == "OUTPUT_MATERIAL")
    light = nodes.new("ShaderNodeEmission")
    material.node_tree.links.new(textures[0].outputs["Color"], light.inputs["Color"])
    material.node_tree.links.new(light.outputs["Emission"], output.inputs["Surface"])
# The colours are data here, not light.
images[0].colorspace_settings.name = "Raw"

scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = 1
scene.cycles.use_denoising = False
scene.view_settings.view_transform = "Raw"
side = 129
scene.render.resolution_x = scene.render.resolution_y = side
scene.render.resolution_percentage = 100
camera = bpy.data.objects.new("eye", bpy.data.cameras.new("eye"))
camera.data.angle = math.radians(90)
# Our front, -Z, is Blender's +Y.
camera.rotation_euler = (math.radians(90), 0, 0)
scene.collection.objects.link(camera)
scene.camera = camera
scene.render.filepath = picture_file
bpy.ops.render.render(write_still=True)

seen = bpy.data.images.load(picture_file)
pixels = numpy.array(seen.pixels[:]).reshape(side, side, -1)[::-1] * 255
# 36 degrees to a side: u = 0.1 or v = 0.2 away from the middle.
reach = math.tan(math.radians(36)) * side / 2
for name, dx, dy in (("centre", 0, 0), ("left", -1, 0), ("right", 1, 0), ("top", 0, -1), ("bottom", 0, 1)):
    x, y = (int(round((side - 1) / 2 + d * reach)) for d in (dx, dy))
    print("RESULT", name, *pixels[y, x, :2])
