# SPDX-License-Identifier: Apache-2.0
"""blender -b --python gallery_render.py -- MESH.glb VIEWS.json: pictures of a mesh with its own
colours, for scripts/gallery.py. VIEWS.json: [{"file", "size": [w, h], "hfov_deg", "eye": [x, y, z],
"target": [x, y, z]}] in the mesh's own axes (+Y up, -Z forward). Surfaces seen from behind are left
out, so that a camera outside looks into the room."""
import json
import math
import sys

import numpy

# Blender 3.4's glTF importer uses names that numpy has dropped since.
for name, kind in (("bool", bool), ("int", int), ("float", float), ("object", object)):
    if name not in numpy.__dict__:
        setattr(numpy, name, kind)

import bpy  # noqa: E402
from mathutils import Vector  # noqa: E402


def show_as_light(material):
    """Makes the material's picture shine by itself, and its back invisible."""
    nodes, links = material.node_tree.nodes, material.node_tree.links
    texture = next(n for n in nodes if n.type == "TEX_IMAGE" and n.image is not None)
    output = next(n for n in nodes if n.type == "OUTPUT_MATERIAL")
    light, nothing = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeBsdfTransparent")
    side, mix = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeMixShader")
    links.new(texture.outputs["Color"], light.inputs["Color"])
    links.new(side.outputs["Backfacing"], mix.inputs[0])
    links.new(light.outputs["Emission"], mix.inputs[1])
    links.new(nothing.outputs["BSDF"], mix.inputs[2])
    links.new(mix.outputs["Shader"], output.inputs["Surface"])


def blender_from_gltf(point):
    x, y, z = point
    return Vector((x, -z, y))


def prepare_scene():
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 8
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 0
    scene.cycles.transparent_max_bounces = 16
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    world = bpy.data.worlds.new("white")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    scene.world = world
    camera = bpy.data.objects.new("eye", bpy.data.cameras.new("eye"))
    camera.data.clip_start, camera.data.clip_end = 0.01, 10000
    scene.collection.objects.link(camera)
    scene.camera = camera
    return scene, camera


def main():
    mesh_file, views_file = sys.argv[sys.argv.index("--") + 1:]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=mesh_file)
    for material in bpy.data.materials:
        if material.use_nodes and any(n.type == "TEX_IMAGE" for n in material.node_tree.nodes):
            show_as_light(material)
    scene, camera = prepare_scene()
    with open(views_file, encoding="utf-8") as stream:
        views = json.load(stream)
    for view in views:
        scene.render.resolution_x, scene.render.resolution_y = view["size"]
        scene.render.filepath = view["file"]
        camera.data.angle = math.radians(view["hfov_deg"])
        camera.location = blender_from_gltf(view["eye"])
        towards = blender_from_gltf(view["target"]) - camera.location
        camera.rotation_euler = towards.to_track_quat("-Z", "Y").to_euler()
        bpy.ops.render.render(write_still=True)


main()
